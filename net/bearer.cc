#include "net/bearer.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "net/http_text.h"

namespace spool::net {
namespace {

constexpr Micros kLookEvery = std::chrono::seconds(1);
constexpr size_t kTokensMax = 64;  // of one file

Result<std::vector<Digest256>> ReadTokens(const Secret& secret) {
  const Result<std::string> text = secret.Read();
  if (!text) return tl::unexpected(text.error());
  std::vector<Digest256> out;
  std::string_view rest = *text;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
      line.remove_suffix(1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    if (line.empty()) continue;
    const bool visible =
        std::all_of(line.begin(), line.end(), [](char c) { return c > ' ' && c < '\x7f'; });
    if (!visible || out.size() == kTokensMax) {
      return Fail(Code::kInvalid,
                  "secret " + secret.Where() +
                      (visible ? " holds more than 64 tokens" : " does not hold one token a line"));
    }
    out.push_back(Sha256(line));
  }
  if (out.empty()) return Fail(Code::kInvalid, "secret " + secret.Where() + " holds no token");
  return out;
}

}  // namespace

Result<std::unique_ptr<BearerTokens>> BearerTokens::Load(std::vector<BearerToken> tokens,
                                                         const Clock* clock) {
  std::unique_ptr<BearerTokens> out(new BearerTokens(clock));
  for (BearerToken& token : tokens) {
    std::vector<std::string> files;
    if (!token.secret.File().empty()) files.push_back(token.secret.File());
    FileWatch watch(std::move(files));
    auto digests = ReadTokens(token.secret);
    if (!digests) return Fail(Code::kInvalid, digests.error().message);
    out->entries_.push_back({std::move(token), std::move(watch), std::move(*digests), ""});
  }
  return out;
}

// On whichever thread asks first in a second; the others do not wait for it longer than a read.
void BearerTokens::Follow() const {
  const SteadyTime steady = clock_->Steady();
  int64_t due = next_look_.load(std::memory_order_relaxed);
  const int64_t now = steady.time_since_epoch().count();
  if (now < due || !next_look_.compare_exchange_strong(due, now + kLookEvery.count())) return;
  const std::lock_guard lock(mutex_);
  for (Entry& entry : entries_) {
    if (!entry.watch.Changed(clock_->Now(), steady)) continue;
    auto digests = ReadTokens(entry.token.secret);
    entry.digests = digests ? std::move(*digests) : std::vector<Digest256>();
    const std::string was =
        std::exchange(entry.broken, digests ? std::string() : digests.error().message);
    if (digests) {
      entry.watch.Taken();
      log::Info("Tokens were read again.", {{"token", entry.token.secret.Where()}});
    } else if (entry.watch.first() || was != entry.broken) {
      log::Error("Tokens cannot be read any more; whoever has them is refused.",
                 {{"token", entry.token.secret.Where()}, {"reason", digests.error().message}});
    }
  }
}

std::optional<BearerTokens::Match> BearerTokens::Find(std::string_view token) const {
  Follow();
  const Digest256 presented = Sha256(token);
  int rank = -1;
  size_t index = 0;
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < entries_.size(); ++i) {
    for (const Digest256& known : entries_[i].digests) {
      const int same = SameDigest(known, presented) ? entries_[i].token.rank : -1;
      index = same > rank ? i : index;
      rank = std::max(rank, same);
    }
  }
  return token.empty() || rank < 0 ? std::nullopt : std::optional(Match{rank, index});
}

std::string_view BearerOf(const HttpRequest& request) {
  constexpr std::string_view kScheme = "bearer ";
  const std::string* header = nullptr;
  for (const auto& [name, value] : request.headers) {
    if (name != "authorization") continue;
    if (header != nullptr) return {};  // two readers could take different ones
    header = &value;
  }
  if (header == nullptr || header->size() <= kScheme.size() ||
      !EqualsIgnoringCase(std::string_view(*header).substr(0, kScheme.size()), kScheme)) {
    return {};
  }
  std::string_view token = std::string_view(*header).substr(kScheme.size());
  while (token.starts_with(' ')) token.remove_prefix(1);
  while (token.ends_with(' ')) token.remove_suffix(1);
  return token;
}

HttpResponse Unauthorized(bool shown) {
  HttpResponse response = Problem(
      401, "unauthorized",
      shown ? "The token is not valid." : "This needs a token: Authorization: Bearer TOKEN.");
  response.headers.emplace_back(
      "WWW-Authenticate",
      shown ? "Bearer realm=\"spool\", error=\"invalid_token\"" : "Bearer realm=\"spool\"");
  return response;
}

HttpResponse Forbidden(std::string_view detail) {
  HttpResponse response = Problem(403, "forbidden", detail);
  response.headers.emplace_back("WWW-Authenticate",
                                "Bearer realm=\"spool\", error=\"insufficient_scope\"");
  return response;
}

}  // namespace spool::net
