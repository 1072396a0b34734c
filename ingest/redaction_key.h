// The key of redaction's hashes: made once, kept beside the journal, never shown.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "ingest/redaction.h"

namespace spool {

// DIR/REDACTION_KEY: 64 hex digits, mode 0600. Makes it durably if it is missing, so the same
// record hashes alike before and after a restart. The directory must be there and nobody else may
// be at work in it. kInvalid when the file is no key, or others than its owner may read it;
// kStorage when it cannot be read or written.
Result<RedactionKey> KeepRedactionKey(const std::string& dir);

// Gives `to` the same file as `from`, durably, for a copy of the data directory; nothing when
// `from` has none. The same errors, and kConflict when `to` has one.
Status CopyRedactionKey(const std::string& from, const std::string& to);

// The key that several spools share, from a secret of at least kRedactionSecretMin bytes. kInvalid.
Result<RedactionKey> RedactionKeyOf(std::string_view secret);
inline constexpr size_t kRedactionSecretMin = 32;

}  // namespace spool
