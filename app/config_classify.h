// The operator's own rules of classification, from the configuration to the decoder.
#pragma once

#include "app/config.h"
#include "base/result.h"
#include "ingest/decode.h"

namespace spool {

// Looks at the rules in order. Empty without any. kInvalid as Matcher::Compile.
Result<Classifier> ClassifierOf(const std::vector<ClassifyRule>& rules);

}  // namespace spool
