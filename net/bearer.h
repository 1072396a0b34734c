// Bearer tokens that requests show (RFC 6750), from files and variables, several valid at once.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file_watch.h"
#include "base/hash.h"
#include "base/result.h"
#include "base/secret.h"
#include "net/http_server.h"

namespace spool::net {

// A file holds one token a line; while old and new are both in it, or in two files, both are valid.
struct BearerToken {
  Secret secret;
  int rank = 0;  // what whoever has it may do; at least 0, more is more
};

// Any thread. Of the tokens only their SHA-256 is kept. Files are looked at no more than once a
// second, and followed when they have been at rest for as long; a token whose file is gone is
// valid no more, and one whose file cannot be read is not until a later look reads it.
class BearerTokens {
 public:
  // kInvalid naming the file or variable (never what is in it) that cannot be read or holds no
  // token: who asks for tokens must not be left with none.
  static Result<std::unique_ptr<BearerTokens>> Load(std::vector<BearerToken> tokens,
                                                    const Clock* clock = &RealClock());

  bool empty() const { return entries_.empty(); }
  // Which of the tokens given to Load it is.
  struct Match {
    int rank = 0;
    size_t index = 0;  // among several with that rank, the first
  };
  // Of the highest rank; empty for one that nobody was given. Takes as long whichever of them it
  // is, and whichever byte differs.
  std::optional<Match> Find(std::string_view token) const;
  std::optional<int> RankOf(std::string_view token) const {
    const std::optional<Match> match = Find(token);
    return match ? std::optional(match->rank) : std::nullopt;
  }

 private:
  struct Entry {
    BearerToken token;
    FileWatch watch;
    std::vector<Digest256> digests;
    std::string broken;  // why the file as it is now cannot be used
  };

  explicit BearerTokens(const Clock* clock) : clock_(clock) {}
  void Follow() const;

  const Clock* const clock_;
  mutable std::atomic<int64_t> next_look_{0};  // steady microseconds
  mutable std::mutex mutex_;
  mutable std::vector<Entry> entries_;  // their number is fixed; what is in them guarded by mutex_
};

// The token that the request shows: of its only Authorization header, if that is of this scheme.
// Empty otherwise.
std::string_view BearerOf(const HttpRequest& request);

// 401 `unauthorized`; tells a client that showed a token that it is not valid.
HttpResponse Unauthorized(bool shown);
// 403 `forbidden`: the token is good, but not for this.
HttpResponse Forbidden(std::string_view detail);

}  // namespace spool::net
