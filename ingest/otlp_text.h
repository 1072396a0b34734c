// A log record's JSON while it is being written, bounded; shared by both forms of OTLP.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "ingest/msgpack.h"

namespace spool {

class OtlpText {
 public:
  OtlpText(const TranscodeLimits& limits, std::string* text) : limits_(limits), text_(*text) {}

  // Room for `more` bytes; false when the record is too large or there is no memory, and then
  // failed() and starved() say which.
  bool Room(size_t more) {
    const size_t need = text_.size() + more;
    if (need <= text_.capacity()) return true;
    if (text_.size() > limits_.record_bytes_max) return failed_ = true, false;
    // While it grows it is there twice.
    if (limits_.pay && !limits_.pay(need + 2 * text_.capacity())) {
      starved_ = failed_ = true;
      return false;
    }
    text_.reserve(std::max(need, 2 * text_.capacity()));
    return true;
  }
  bool Add(std::string_view raw) {
    if (!Room(raw.size())) return false;
    text_.append(raw);
    return true;
  }
  // `"name":`, with a comma in front unless it is an object's first.
  bool Name(std::string_view name) {
    const bool first = text_.empty() || text_.back() == '{';
    return Room(name.size() + 4) &&
           (text_.append(first ? "\"" : ",\""), text_.append(name), text_.append("\":"), true);
  }
  void Clear() {
    text_.clear();
    failed_ = false;
  }
  std::string& text() { return text_; }
  size_t depth_max() const { return limits_.depth_max; }
  bool failed() const { return failed_; }
  bool starved() const { return starved_; }
  void Fail() { failed_ = true; }

 private:
  const TranscodeLimits& limits_;
  std::string& text_;
  bool failed_ = false;
  bool starved_ = false;
};

}  // namespace spool
