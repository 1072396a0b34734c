// What may be shown of a record that could not be understood. It is cautious: what looks like a
// secret, or follows a word that announces one, does not come out; what cannot be judged neither.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace spool {

inline constexpr size_t kExcerptMax = 512;

// At most kExcerptMax printable bytes from the start of `record`. Hidden: values behind
// password, secret, token, key and the like, Authorization and Bearer or Basic credentials, JWTs,
// PEM blocks, user:password in URLs. Empty if the record speaks of a Secret object or is an audit
// event, whose bodies may hold anything.
std::string SafeExcerpt(std::string_view record);

// The same for a text as long as it is, without the rules about whole objects.
std::string HideSecrets(std::string_view text);

}  // namespace spool
