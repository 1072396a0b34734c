// What may be shown of a record that could not be understood. It is cautious: what looks like a
// secret, or follows a word that announces one, does not come out; what cannot be judged neither.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace spool {

inline constexpr size_t kExcerptMax = 512;

// At most kExcerptMax printable bytes from the start of `record`. Hidden: values behind
// password, secret, token, session, -p and the like, Authorization and Bearer or Basic credentials,
// JWTs, PEM blocks, user:password in URLs, and what looks like base64. Empty if the record
// SpeaksOfSecrets, or is not a text of single bytes.
std::string SafeExcerpt(std::string_view record);

// Whether `text` names Secret objects (the word in any case, in JSON, YAML or a text inside a text)
// or has audit events or admission reviews in it, whose bodies may hold anything; also if letters
// in it are written as escapes, so that words cannot be read. Linear.
bool SpeaksOfSecrets(std::string_view text);

// The same hiding for a text as long as it is, without the rules about whole objects.
std::string HideSecrets(std::string_view text);

}  // namespace spool
