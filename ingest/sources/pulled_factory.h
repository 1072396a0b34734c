// From settings to a source that fetches.
#pragma once

#include <memory>
#include <string_view>

#include "ingest/sources/pulled.h"
#include "ingest/sources/settings.h"

namespace spool {

// "file", as in the configuration.
std::string_view TypeNameOf(const PulledSettings& settings);

// `options.type` need not be set. `journal` and what the options point to must outlive it.
std::unique_ptr<PulledSource> MakePulledSource(const PulledSettings& settings,
                                               IntakeOptions options, Journal& journal);

}  // namespace spool
