#include "base/secret.h"

#include <cstdlib>
#include <fstream>

namespace spool {
namespace {

// A wrong path (a device, a log) must not fill the memory.
constexpr size_t kSecretBytesMax = size_t{64} << 10;

}  // namespace

Secret Secret::FromFile(std::string path) { return Secret(true, std::move(path)); }
Secret Secret::FromEnv(std::string name) { return Secret(false, std::move(name)); }

std::string Secret::Where() const { return (file_ ? "file:" : "env:") + where_; }

Result<std::string> Secret::Read() const {
  std::string text;
  if (file_) {
    std::ifstream in(where_, std::ios::binary);
    if (!in) return Fail(Code::kUnavailable, "secret " + Where() + " cannot be read");
    text.resize(kSecretBytesMax + 1);
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(in.gcount()));
    if (text.size() > kSecretBytesMax) {
      return Fail(Code::kUnavailable, "secret " + Where() + " is longer than 64 KiB");
    }
  } else if (const char* value = std::getenv(where_.c_str())) {
    text = value;
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty()) return Fail(Code::kUnavailable, "secret " + Where() + " is empty or not set");
  return text;
}

}  // namespace spool
