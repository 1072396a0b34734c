#include "base/secret.h"

#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>

#include "base/secret_times.h"

namespace spool {
namespace {

// A wrong path (a device, a log) must not fill the memory.
constexpr size_t kSecretBytesMax = size_t{64} << 10;

constexpr size_t kTimesMax = 1024;

struct Times {
  std::mutex mutex;
  std::map<std::string, SystemTime> of;  // guarded by mutex
};
Times& ReadTimes() {
  static auto* const times = new Times;  // read by threads that outlive main
  return *times;
}

void NoteRead(std::string where) {
  Times& times = ReadTimes();
  const SystemTime now = RealClock().Now();
  const std::lock_guard lock(times.mutex);
  if (times.of.size() < kTimesMax || times.of.contains(where)) times.of[std::move(where)] = now;
}

}  // namespace

std::vector<std::pair<std::string, SystemTime>> SecretTimes() {
  Times& times = ReadTimes();
  const std::lock_guard lock(times.mutex);
  return {times.of.begin(), times.of.end()};
}

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
  NoteRead(Where());
  return text;
}

}  // namespace spool
