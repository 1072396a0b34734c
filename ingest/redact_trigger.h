// Whether there is anything in a record that a rule of redaction could apply to. Most records have
// nothing of the kind, and that has to be cheap to see.
#pragma once

#include <string_view>

namespace spool {

// False: no built-in rule finds anything in `text`, whatever it is (JSON, plain text, text inside
// of text). True: it is worth a look. One pass, many bytes at a time where the processor can.
bool MayHoldSecrets(std::string_view text);

}  // namespace spool
