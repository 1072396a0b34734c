// Tokens in files and in headers: a file is refused whole, or each of its lines is a token and
// nothing else is.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "net/bearer.h"

namespace spool::net {
namespace {

void File(std::string_view text) {
  static const std::string path = [] {
    const char* place = std::getenv("TMPDIR");
    std::string made = std::string(place != nullptr ? place : "/tmp") + "/spool-fuzz-XXXXXX";
    const int fd = mkstemp(made.data());
    SPOOL_ASSERT(fd >= 0);
    close(fd);
    static const std::string kept = made;
    std::atexit([] { unlink(kept.c_str()); });
    return made;
  }();
  SPOOL_ASSERT(truncate(path.c_str(), 0) == 0);
  FILE* file = std::fopen(path.c_str(), "wb");
  SPOOL_ASSERT(file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size());
  std::fclose(file);
  const auto tokens = BearerTokens::Load({{Secret::FromFile(path), 2}});
  if (!tokens) {
    SPOOL_ASSERT(tokens.error().code == Code::kInvalid);
    // Of what is in the file nothing is told: another that is refused for the same reason would
    // have had the same message.
    const std::string& message = tokens.error().message;
    SPOOL_ASSERT(message.starts_with("secret file:" + path));
    const std::string_view why = std::string_view(message).substr(12 + path.size());
    SPOOL_ASSERT(why == " holds no token" || why == " is empty or not set" ||
                 why == " does not hold one token a line" || why == " holds more than 64 tokens" ||
                 why == " is longer than 64 KiB");
    return;
  }
  SPOOL_ASSERT(!(*tokens)->empty() && !(*tokens)->RankOf(""));
  size_t lines = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string line(text.substr(at, end - at));
    at = end + 1;
    const size_t from = line.find_first_not_of(" \t\r");
    if (from == std::string::npos) continue;
    line = line.substr(from, line.find_last_not_of(" \t\r") + 1 - from);
    SPOOL_ASSERT((*tokens)->RankOf(line) == 2);
    SPOOL_ASSERT(!(*tokens)->RankOf(line + " ") && !(*tokens)->RankOf(" " + line));
    ++lines;
  }
  SPOOL_ASSERT(lines >= 1 && lines <= 64);
}

// Headers, one a line: "NAME:VALUE", names as the server hands them over.
void Headers(std::string_view text) {
  HttpRequest request;
  size_t shown = 0;
  while (!text.empty() && request.headers.size() < 16) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const size_t colon = line.find(':');
    if (colon == line.npos) continue;
    request.headers.emplace_back(line.substr(0, colon), line.substr(colon + 1));
    if (request.headers.back().first == "authorization") ++shown;
  }
  const std::string_view token = BearerOf(request);
  if (token.empty()) return;
  SPOOL_ASSERT(shown == 1);
  const std::string_view header = request.Header("authorization");
  SPOOL_ASSERT(header.size() > 7 && header.find(token) != header.npos);
  SPOOL_ASSERT(!token.starts_with(' ') && !token.ends_with(' '));
}

}  // namespace
}  // namespace spool::net

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    spool::net::File(text);
  } else {
    spool::net::Headers(text);
  }
  return 0;
}
