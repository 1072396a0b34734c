// How a command ends.
#pragma once

#include <string>

#include "base/result.h"

namespace spool::ctl {

// Exit statuses: part of the interface, scripts depend on them.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kNotFound = 4;
inline constexpr int kRefused = 5;      // needs --yes
inline constexpr int kUnreachable = 6;  // or timed out
inline constexpr int kPartly = 7;       // some of it is done, it can be gone on with
inline constexpr int kBadConfig = 78;
inline constexpr int kInterrupted = 130;

struct Failure {
  int exit = kFailed;
  std::string message;  // one sentence, what went wrong
  std::string next;     // what to do about it; may be empty
  std::string code;     // stable word with a page in docs/errors; empty: follows from the exit
  bool timed_out = false;
  bool too_large = false;    // the answer was: ask for less at once
  std::string problem = {};  // the API's whole answer, JSON; may be empty
};

// A value, or how the command ends without it.
template <class T>
using Outcome = tl::expected<T, Failure>;

inline tl::unexpected<Failure> End(int exit, std::string message, std::string next = {}) {
  return tl::unexpected<Failure>(Failure{exit, std::move(message), std::move(next)});
}

}  // namespace spool::ctl
