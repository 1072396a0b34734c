#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "ingest/json_text.h"
#include "ingest/otlp.h"
#include "ingest/otlp_text.h"

namespace spool {
namespace {

// One field of a message: its number, and its value by its wire type.
struct Field {
  uint32_t number = 0;
  enum class Type { kVarint, kFixed64, kBytes, kFixed32 } type = Type::kVarint;
  uint64_t value = 0;
  std::string_view bytes;
};

// The fields of a message in order. Groups, which proto3 does not have, are broken.
class Message {
 public:
  explicit Message(std::string_view text) : text_(text) {}
  bool Next(Field* field) {
    if (at_ >= text_.size() || broken_) return false;
    uint64_t tag = 0;
    if (!Varint(&tag) || tag >> 3 == 0 || tag >> 3 > 536'870'911) return Break();
    field->number = static_cast<uint32_t>(tag >> 3);
    field->bytes = {};
    switch (tag & 7) {
      case 0: field->type = Field::Type::kVarint; return Varint(&field->value) || Break();
      case 1: field->type = Field::Type::kFixed64; return Fixed(8, &field->value) || Break();
      case 2: {
        field->type = Field::Type::kBytes;
        uint64_t size = 0;
        if (!Varint(&size) || size > text_.size() - at_) return Break();
        field->bytes = text_.substr(at_, size);
        at_ += size;
        return true;
      }
      case 5: field->type = Field::Type::kFixed32; return Fixed(4, &field->value) || Break();
      default: return Break();
    }
  }
  bool broken() const { return broken_; }
  // What has not been read.
  std::string_view rest() const { return text_.substr(std::min(at_, text_.size())); }

 private:
  bool Break() {
    broken_ = true;
    return false;
  }
  bool Varint(uint64_t* value) {
    *value = 0;
    for (unsigned shift = 0; shift < 64 && at_ < text_.size(); shift += 7) {
      const auto byte = static_cast<uint8_t>(text_[at_++]);
      *value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool Fixed(size_t size, uint64_t* value) {
    if (text_.size() - at_ < size) return false;
    *value = 0;
    for (size_t i = 0; i < size; ++i) {
      *value |= static_cast<uint64_t>(static_cast<uint8_t>(text_[at_ + i])) << (8 * i);
    }
    at_ += size;
    return true;
  }
  const std::string_view text_;
  size_t at_ = 0;
  bool broken_ = false;
};

bool IsBytes(const Field& field) { return field.type == Field::Type::kBytes; }
bool IsVarint(const Field& field) { return field.type == Field::Type::kVarint; }

class Records {
 public:
  Records(const TranscodeLimits& limits, std::string* text, RecordHandler* handler)
      : out_(limits, text), around_(limits, &around_text_), handler_(*handler) {}

  bool Request(std::string_view body);

 private:
  bool ResourceLogs(std::string_view bytes);
  bool ScopeLogs(std::string_view bytes, size_t around);
  bool LogRecord(std::string_view bytes);
  bool Fields(std::string_view bytes, OtlpText& out, bool* attributes_open);
  bool Resource(std::string_view bytes, OtlpText& out);
  bool Scope(std::string_view bytes, OtlpText& out);
  bool Attribute(std::string_view bytes, OtlpText& out, size_t depth);
  bool Attributes(std::string_view message, uint32_t number, OtlpText& out, size_t depth);
  bool AnyValue(std::string_view bytes, OtlpText& out, size_t depth);
  bool Text(std::string_view text, OtlpText& out) {
    return out.Room(text.size() * 6 + 2) && (AppendJsonString(text, &out.text()), true);
  }
  template <class Number>
  bool Digits(Number number, OtlpText& out) {
    char text[40];
    char* const end = std::to_chars(text, text + sizeof text, number).ptr;
    return out.Add({text, static_cast<size_t>(end - text)});
  }
  // As the JSON form has 64-bit numbers: a text of digits.
  bool Quoted(uint64_t number, OtlpText& out) {
    return out.Add("\"") && Digits(number, out) && out.Add("\"");
  }
  bool Hex(std::string_view bytes, OtlpText& out);

  OtlpText out_;
  std::string around_text_;  // `,"resource":{…},"scope":{…}` of the records at work
  OtlpText around_;
  RecordHandler& handler_;
  bool stopped_ = false;
};

bool Records::Hex(std::string_view bytes, OtlpText& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (!out.Room(2 * bytes.size() + 2)) return false;
  out.text() += '"';
  for (const char c : bytes) {
    out.text() += kDigits[static_cast<uint8_t>(c) >> 4];
    out.text() += kDigits[static_cast<uint8_t>(c) & 15];
  }
  out.text() += '"';
  return true;
}

bool Records::AnyValue(std::string_view bytes, OtlpText& out, size_t depth) {
  if (depth >= out.depth_max()) return out.Fail(), false;
  Message message(bytes);
  // Of a oneof the last one counts.
  Field value, field;
  while (message.Next(&field)) {
    if (field.number >= 1 && field.number <= 7) value = field;
  }
  if (message.broken()) return false;
  const auto many = [&](char open, char close, const auto& each) {
    if (!out.Add({&open, 1})) return false;
    Message list(value.bytes);
    bool first = true;
    while (list.Next(&field)) {
      if (field.number != 1 || !IsBytes(field)) continue;
      if (!first && !out.Add(",")) return false;
      first = false;
      if (!each(field.bytes)) return false;
    }
    return !list.broken() && out.Add({&close, 1});
  };
  switch (value.number) {
    case 1: return IsBytes(value) && Text(value.bytes, out);
    case 2: return IsVarint(value) && out.Add(value.value != 0 ? "true" : "false");
    case 3: return IsVarint(value) && Digits(static_cast<int64_t>(value.value), out);
    case 4: {
      if (value.type != Field::Type::kFixed64) return false;
      double real = 0;
      std::memcpy(&real, &value.value, sizeof real);
      return std::isfinite(real) ? Digits(real, out) : out.Add("null");
    }
    case 5:
      return IsBytes(value) &&
             many('[', ']', [&](std::string_view item) { return AnyValue(item, out, depth + 1); });
    case 6:
      return IsBytes(value) &&
             many('{', '}', [&](std::string_view item) { return Attribute(item, out, depth + 1); });
    case 7: return IsBytes(value) && Text(EncodeBase64(value.bytes), out);
    default: return out.Add("null");
  }
}

bool Records::Attribute(std::string_view bytes, OtlpText& out, size_t depth) {
  Message message(bytes);
  std::string_view key, value;
  Field field;
  while (message.Next(&field)) {
    if (field.number == 1 && IsBytes(field)) key = field.bytes;
    if (field.number == 2 && IsBytes(field)) value = field.bytes;
  }
  return !message.broken() && Text(key, out) && out.Add(":") && AnyValue(value, out, depth);
}

bool Records::Attributes(std::string_view bytes, uint32_t number, OtlpText& out, size_t depth) {
  Message message(bytes);
  Field field;
  bool first = true;
  if (!out.Add("{")) return false;
  while (message.Next(&field)) {
    if (field.number != number || !IsBytes(field)) continue;
    if (!first && !out.Add(",")) return false;
    first = false;
    if (!Attribute(field.bytes, out, depth)) return false;
  }
  return !message.broken() && out.Add("}");
}

bool Records::Resource(std::string_view bytes, OtlpText& out) {
  return out.Add(",\"resource\":") && Attributes(bytes, 1, out, 2);
}

bool Records::Scope(std::string_view bytes, OtlpText& out) {
  Message message(bytes);
  Field field;
  if (!out.Add(",\"scope\":{")) return false;
  bool attributes = false;
  while (message.Next(&field)) {
    if (!IsBytes(field)) continue;
    if (field.number == 1 && !(out.Name("name") && Text(field.bytes, out))) return false;
    if (field.number == 2 && !(out.Name("version") && Text(field.bytes, out))) return false;
    attributes |= field.number == 3;
  }
  if (message.broken()) return false;
  if (attributes && !(out.Name("attributes") && Attributes(bytes, 3, out, 3))) return false;
  return out.Add("}");
}

bool Records::LogRecord(std::string_view bytes) {
  Message message(bytes);
  Field f;
  bool attributes = false;
  if (!out_.Add("{")) return false;
  // Each field once, the last one that is there.
  std::vector<Field> last(13);
  while (message.Next(&f)) {
    if (f.number < last.size()) last[f.number] = f;
    attributes |= f.number == 6;
  }
  if (message.broken()) return false;
  const auto given = [&](uint32_t number, Field::Type type) {
    return last[number].number == number && last[number].type == type;
  };
  using Type = Field::Type;
  bool good = true;
  if (given(1, Type::kFixed64) && last[1].value != 0) {
    good = good && out_.Name("timeUnixNano") && Quoted(last[1].value, out_);
  }
  if (given(11, Type::kFixed64) && last[11].value != 0) {
    good = good && out_.Name("observedTimeUnixNano") && Quoted(last[11].value, out_);
  }
  if (given(2, Type::kVarint) && last[2].value != 0) {
    good = good && out_.Name("severityNumber") && Digits(last[2].value, out_);
  }
  if (given(3, Type::kBytes)) good = good && out_.Name("severityText") && Text(last[3].bytes, out_);
  if (given(12, Type::kBytes)) good = good && out_.Name("eventName") && Text(last[12].bytes, out_);
  if (given(5, Type::kBytes)) good = good && out_.Name("body") && AnyValue(last[5].bytes, out_, 1);
  if (attributes) good = good && out_.Name("attributes") && Attributes(bytes, 6, out_, 2);
  if (given(7, Type::kVarint) && last[7].value != 0) {
    good = good && out_.Name("droppedAttributesCount") && Digits(last[7].value, out_);
  }
  if (given(8, Type::kFixed32) && last[8].value != 0) {
    good = good && out_.Name("flags") && Digits(last[8].value, out_);
  }
  if (given(9, Type::kBytes)) good = good && out_.Name("traceId") && Hex(last[9].bytes, out_);
  if (given(10, Type::kBytes)) good = good && out_.Name("spanId") && Hex(last[10].bytes, out_);
  if (!good) return false;
  // The comma is the record's own, if it has anything.
  std::string_view around = around_text_;
  if (out_.text().back() == '{' && !around.empty()) around.remove_prefix(1);
  return out_.Add(around) && out_.Add("}");
}

bool Records::ScopeLogs(std::string_view bytes, size_t around) {
  around_text_.resize(around);
  Message look(bytes), message(bytes);
  Field field;
  bool sound = true;
  while (look.Next(&field)) {
    if (field.number == 1 && IsBytes(field)) {
      around_text_.resize(around);
      sound = Scope(field.bytes, around_);
    }
  }
  if (look.broken() || !sound) return false;
  while (!stopped_ && message.Next(&field)) {
    if (field.number != 2 || !IsBytes(field)) continue;
    out_.Clear();
    auto answer = RecordHandler::Answer::kUnreadable;
    if (LogRecord(field.bytes)) answer = handler_.Record(out_.text(), ListKind::kNone);
    if (out_.starved()) return stopped_ = true, true;
    if (answer == RecordHandler::Answer::kUnreadable) answer = handler_.Unreadable(field.bytes);
    stopped_ = answer == RecordHandler::Answer::kStop;
  }
  return true;
}

bool Records::ResourceLogs(std::string_view bytes) {
  around_text_.clear();
  Message look(bytes), message(bytes);
  Field field;
  bool sound = true;
  while (look.Next(&field)) {
    if (field.number == 1 && IsBytes(field)) {
      around_text_.clear();
      sound = Resource(field.bytes, around_);
    }
  }
  if (look.broken() || !sound) return false;
  const size_t around = around_text_.size();
  while (!stopped_ && message.Next(&field)) {
    if (field.number == 2 && IsBytes(field) && !ScopeLogs(field.bytes, around)) return false;
  }
  return true;
}

bool Records::Request(std::string_view body) {
  Message message(body);
  Field field;
  while (!stopped_ && message.Next(&field)) {
    if (field.number != 1 || !IsBytes(field)) continue;
    if (ResourceLogs(field.bytes)) continue;
    // What does not fit in memory is another matter than what cannot be read.
    if (around_.starved()) return true;
    stopped_ = handler_.Unreadable(field.bytes) == RecordHandler::Answer::kStop;
  }
  if (!message.broken()) return true;
  if (!stopped_) handler_.Unreadable(message.rest());
  return false;
}

}  // namespace

bool SplitOtlpProtobuf(std::string_view body, const TranscodeLimits& limits, std::string* text,
                       RecordHandler* handler) {
  return Records(limits, text, handler).Request(body);
}

}  // namespace spool
