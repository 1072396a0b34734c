#include "app/ctl/arguments.h"

#include <charconv>

#include "app/ctl/printer.h"
#include "app/ctl/text.h"
#include "base/clock.h"
#include "base/time_text.h"
#include "forward/token_bucket.h"

namespace spool::ctl {
namespace {

bool IsDigits(const std::string& text) {
  return !text.empty() && text.size() <= 19 && text.find_first_not_of("0123456789") == text.npos;
}

}  // namespace

std::string CheckTime(const std::string& text) {
  const Result<SystemTime> time = ParseWhen(text, RealClock().Now());
  return time ? std::string() : time.error().message;
}

std::string CheckTimeOrSequence(const std::string& text) {
  if (IsDigits(text)) return {};
  const std::string wrong = CheckTime(text);
  return wrong.empty() ? wrong : wrong + ", nor a sequence";
}

std::string CheckTimeout(const std::string& text) {
  const Result<Micros> duration = ParseDuration(text);
  if (!duration) return duration.error().message;
  if (*duration < Millis(1) || *duration > std::chrono::hours(1)) {
    return "it must lie between 1ms and 1h";
  }
  return {};
}

std::string CheckFormat(const std::string& text) {
  return ParseFormat(text) ? std::string()
                           : "'" + text + "' is none of table, wide, json, jsonl, yaml, name";
}

std::string CheckMatch(const std::string& text) {
  const size_t equals = text.find('=');
  return equals != text.npos && equals > 0 ? std::string()
                                           : "'" + text + "' is not KEY=VALUE, such as kind=Pod";
}

std::string CheckScan(const std::string& text) {
  return text == "all" || (IsDigits(text) && text != "0")
             ? std::string()
             : "'" + text + "' is neither a number of events nor 'all'";
}

std::string CheckRate(const std::string& text) {
  const Result<double> rate = ParseRate(text);
  return rate ? std::string() : rate.error().message;
}

Result<double> ParseRate(const std::string& text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  const std::string_view unit(rest, static_cast<size_t>(end - rest));
  double per = 0;
  if (unit.empty() || unit == "/s") per = 1;
  if (unit == "/m") per = 60;
  if (unit == "/h") per = 3600;
  if (error != std::errc() || per == 0 || !(number > 0)) {
    return Fail(Code::kInvalid, "rate '" + text + "' is not a number of events, such as 500/s");
  }
  if (number / per < kRateMin || number / per > kRateMax) {
    return Fail(Code::kInvalid, "rate '" + text + "' is not between 1/h and 10000000/s");
  }
  return number / per;
}

}  // namespace spool::ctl
