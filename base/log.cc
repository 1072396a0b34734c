#include "base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "base/clock.h"
#include "base/time_text.h"

namespace spool::log {
namespace {

struct Logger {
  std::shared_ptr<spdlog::logger> out = [] {
    auto logger = std::make_shared<spdlog::logger>(
        "spool", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%v");
    logger->flush_on(spdlog::level::trace);
    return logger;
  }();
  std::atomic<Level> level{Level::kInfo};
  std::atomic<Format> format{Format::kText};
};

Logger& Get() {
  static Logger* logger = new Logger;  // outlives every thread, also at exit
  return *logger;
}

// Takes one UTF-8 character off the front; U+FFFD for a byte that does not begin a valid one.
uint32_t TakeCharacter(std::string_view& text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto tail = [&](size_t i) { return (byte(i) & 0xc0u) == 0x80u; };
  const unsigned first = byte(0);
  uint32_t code = 0xfffd;
  size_t length = 1;
  if (first < 0x80) {
    code = first;
  } else if (first >= 0xc2 && first <= 0xdf && tail(1)) {
    code = (first & 0x1f) << 6 | (byte(1) & 0x3f);
    length = 2;
  } else if ((first & 0xf0) == 0xe0 && tail(1) && tail(2)) {
    const uint32_t value = (first & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
    if (value >= 0x800 && (value < 0xd800 || value > 0xdfff)) {
      code = value;
      length = 3;
    }
  } else if (first >= 0xf0 && first <= 0xf4 && tail(1) && tail(2) && tail(3)) {
    const uint32_t value =
        (first & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f);
    if (value >= 0x10000 && value <= 0x10ffff) {
      code = value;
      length = 4;
    }
  }
  text.remove_prefix(length);
  return code;
}

// Controls (C0, DEL, C1), line separators, and what turns the direction of text.
bool IsTreacherous(uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x061c ||
         (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0xfffd;
}

// JSON string body; treacherous characters are escaped, so that no producer's text can forge a
// log line or reorder one on a terminal. A byte that is not UTF-8 becomes U+FFFD.
void AppendEscaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::string_view rest = text;
    const uint32_t code = TakeCharacter(text);
    if (code == '"' || code == '\\') {
      out += '\\';
      out += static_cast<char>(code);
    } else if (IsTreacherous(code)) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", code);
    } else {
      out.append(rest.substr(0, rest.size() - text.size()));
    }
  }
}

bool NeedsQuotes(std::string_view text) {
  return text.empty() || text.find_first_of(" \"\\=") != text.npos ||
         std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return c < 0x20 || c >= 0x7f; });
}

constexpr const char* kNames[] = {"debug", "info", "warn", "error"};

void Write(Level level, std::string_view message, Fields fields) {
  Logger& logger = Get();
  if (level < logger.level.load(std::memory_order_relaxed)) return;
  std::string line;
  const std::string time = FormatTime(RealClock().Now());
  if (logger.format.load(std::memory_order_relaxed) == Format::kJson) {
    line = fmt::format(R"({{"time":"{}","level":"{}","message":")", time,
                       kNames[static_cast<int>(level)]);
    AppendEscaped(line, message);
    line += '"';
    for (const Field& field : fields) {
      fmt::format_to(std::back_inserter(line), ",\"{}\":\"", field.key);
      AppendEscaped(line, field.value);
      line += '"';
    }
    line += '}';
  } else {
    line = fmt::format("{} {:5} ", time, kNames[static_cast<int>(level)]);
    AppendEscaped(line, message);
    for (const Field& field : fields) {
      fmt::format_to(std::back_inserter(line), " {}=", field.key);
      const bool quotes = NeedsQuotes(field.value);
      if (quotes) line += '"';
      AppendEscaped(line, field.value);
      if (quotes) line += '"';
    }
  }
  logger.out->log(spdlog::level::critical, spdlog::string_view_t(line));
}

}  // namespace

void Configure(Level level, Format format) {
  Get().level = level;
  Get().format = format;
}

Result<Level> ParseLevel(std::string_view text) {
  for (int i = 0; i < 4; ++i) {
    if (text == kNames[i]) return static_cast<Level>(i);
  }
  return Fail(Code::kInvalid,
              "log level '" + std::string(text) + "' is none of debug, info, warn, error");
}

void Debug(std::string_view message, Fields fields) { Write(Level::kDebug, message, fields); }
void Info(std::string_view message, Fields fields) { Write(Level::kInfo, message, fields); }
void Warn(std::string_view message, Fields fields) { Write(Level::kWarn, message, fields); }
void Error(std::string_view message, Fields fields) { Write(Level::kError, message, fields); }

bool Limiter::Allow(uint64_t* held_back) {
  const int64_t now = RealClock().Steady().time_since_epoch().count();
  int64_t next = next_.load(std::memory_order_relaxed);
  if (now < next || !next_.compare_exchange_strong(next, now + int64_t{every_} * 1'000'000)) {
    silent_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  *held_back = silent_.exchange(0);
  return true;
}

}  // namespace spool::log
