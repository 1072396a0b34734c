// What a call gives back: a value, or an Error whose code says what the caller can do about it.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace spool {

// Named for the caller's next step, not for the layer that failed.
enum class Code {
  kInvalid,      // the input is wrong and will stay wrong: refuse it, do not retry
  kNotFound,     // the named thing does not exist
  kConflict,     // exists already, is in use, or is in a state that forbids this
  kBusy,         // a bound was reached (queue, bytes, connections): try again soon
  kFull,         // retention or disk limits refuse new events: try again later
  kTimeout,      // no answer within the deadline: the outcome is unknown
  kUnavailable,  // a peer or this service cannot serve now: retry
  kCancelled,    // the caller's stop token was set
  kDamaged,      // durable data fails its checks: stop, inspect, repair
  kStorage,      // a write or sync failed: what is on disk is unknown, the process must end
};

// The code's stable spelling, as used in logs and API answers ("not_found").
std::string_view CodeName(Code code);

struct Error {
  Code code;
  std::string message;  // one clear sentence for a person, without secrets or payload
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> Fail(Code code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}
// Passes an error on with the place or the thing in front: Fail("cannot open X", status.error()).
inline tl::unexpected<Error> Fail(std::string_view context, const Error& cause) {
  return Fail(cause.code, std::string(context) + ": " + cause.message);
}

}  // namespace spool
