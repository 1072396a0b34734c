// Structured logs on stderr, for an operator.
//   info   what you asked for worked         warn   unexpected, nothing lost
//   error  something is lost or needs hands  debug  off by default
// A message is one full sentence; what varies goes into fields. Never payload, never secrets,
// never one line an event. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"

namespace spool::log {

enum class Level { kDebug, kInfo, kWarn, kError };
enum class Format { kText, kJson };

struct Field {
  std::string_view key;
  std::string value;
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  template <class T>
  requires std::is_arithmetic_v<T> Field(std::string_view k, T v)
      : key(k), value(std::to_string(v)) {}
};
using Fields = std::initializer_list<Field>;

// Any time, any thread: what is said from then on follows it. Text and info until then.
void Configure(Level level, Format format);
Result<Level> ParseLevel(std::string_view text);

void Debug(std::string_view message, Fields fields = {});
void Info(std::string_view message, Fields fields = {});
void Warn(std::string_view message, Fields fields = {});
void Error(std::string_view message, Fields fields = {});

// Lets a repeating call site speak at most once per `every` seconds; counts what it held back.
// One per call site, static; any thread.
class Limiter {
 public:
  explicit Limiter(int every_seconds = 10) : every_(every_seconds) {}
  // True when the caller should log now; *held_back is how many calls were silent since.
  bool Allow(uint64_t* held_back);

 private:
  const int every_;
  std::atomic<int64_t> next_{0};
  std::atomic<uint64_t> silent_{0};
};

}  // namespace spool::log
