#include "ingest/msgpack.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>

#include "ingest/json_text.h"

namespace spool {
namespace {

enum class Kind { kNil, kBool, kInt, kUint, kFloat, kString, kBinary, kArray, kMap, kExt };

// A value's head. For strings, binaries and extensions `bytes` is all of it; arrays and maps have
// `count` values or pairs that follow.
struct Head {
  Kind kind = Kind::kNil;
  int64_t number = 0;
  uint64_t natural = 0;
  double real = 0;
  bool truth = false;
  int8_t ext = 0;
  uint32_t count = 0;
  std::string_view bytes;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  size_t at() const { return at_; }
  void set_at(size_t at) { at_ = at; }
  bool done() const { return at_ >= text_.size(); }

  bool Next(Head* head);
  // Steps over a whole value. Each one has at least a byte, so the work is linear.
  bool Skip() {
    uint64_t wanted = 1;
    for (Head head; wanted > 0; --wanted) {
      if (!Next(&head)) return false;
      if (head.kind == Kind::kArray) wanted += head.count;
      if (head.kind == Kind::kMap) wanted += uint64_t{2} * head.count;
      if (wanted > text_.size()) return false;
    }
    return true;
  }

 private:
  bool Natural(size_t size, uint64_t* value) {
    if (text_.size() - at_ < size) return false;
    *value = 0;
    for (size_t i = 0; i < size; ++i) *value = *value << 8 | static_cast<uint8_t>(text_[at_ + i]);
    at_ += size;
    return true;
  }
  bool Bytes(Kind kind, uint64_t size, Head* head) {
    if (text_.size() - at_ < size) return false;
    head->kind = kind;
    head->bytes = text_.substr(at_, size);
    at_ += size;
    return true;
  }
  bool Many(Kind kind, uint64_t count, Head* head) {
    head->kind = kind;
    head->count = static_cast<uint32_t>(count);
    return true;
  }
  bool Ext(uint64_t size, Head* head) {
    uint64_t type = 0;
    if (!Natural(1, &type)) return false;
    head->ext = static_cast<int8_t>(type);
    return Bytes(Kind::kExt, size, head);
  }
  bool Sized(uint8_t first, Head* head);
  bool Number(uint8_t first, Head* head);

  const std::string_view text_;
  size_t at_ = 0;
};

bool Reader::Number(uint8_t first, Head* head) {
  const size_t size = size_t{1} << (first & 3);
  uint64_t value = 0;
  if (first == 0xca || first == 0xcb) {
    if (!Natural(first == 0xca ? 4 : 8, &value)) return false;
    head->kind = Kind::kFloat;
    if (first == 0xca) {
      const auto bits = static_cast<uint32_t>(value);
      float real = 0;
      std::memcpy(&real, &bits, sizeof real);
      head->real = real;
    } else {
      std::memcpy(&head->real, &value, sizeof value);
    }
    return true;
  }
  if (!Natural(size, &value)) return false;
  if (first < 0xd0) {
    head->kind = Kind::kUint;
    head->natural = value;
    return true;
  }
  head->kind = Kind::kInt;
  const unsigned shift = 64 - 8 * static_cast<unsigned>(size);
  head->number = static_cast<int64_t>(value << shift) >> shift;
  return true;
}

bool Reader::Sized(uint8_t first, Head* head) {
  uint64_t size = 0;
  switch (first) {
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return Natural(size_t{1} << (first - 0xc4), &size) && Bytes(Kind::kBinary, size, head);
    case 0xc7:
    case 0xc8:
    case 0xc9: return Natural(size_t{1} << (first - 0xc7), &size) && Ext(size, head);
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8: return Ext(uint64_t{1} << (first - 0xd4), head);
    case 0xd9:
    case 0xda:
    case 0xdb:
      return Natural(size_t{1} << (first - 0xd9), &size) && Bytes(Kind::kString, size, head);
    case 0xdc:
    case 0xdd: return Natural(size_t{2} << (first - 0xdc), &size) && Many(Kind::kArray, size, head);
    case 0xde:
    case 0xdf: return Natural(size_t{2} << (first - 0xde), &size) && Many(Kind::kMap, size, head);
    default: return false;  // 0xc1 is never used
  }
}

bool Reader::Next(Head* head) {
  if (done()) return false;
  const auto first = static_cast<uint8_t>(text_[at_++]);
  *head = Head{};
  if (first <= 0x7f) {
    head->kind = Kind::kUint;
    head->natural = first;
    return true;
  }
  if (first >= 0xe0) {
    head->kind = Kind::kInt;
    head->number = static_cast<int8_t>(first);
    return true;
  }
  if (first <= 0x8f) return Many(Kind::kMap, first & 0x0f, head);
  if (first <= 0x9f) return Many(Kind::kArray, first & 0x0f, head);
  if (first <= 0xbf) return Bytes(Kind::kString, first & 0x1f, head);
  if (first == 0xc0) return true;
  if (first == 0xc2 || first == 0xc3) {
    head->kind = Kind::kBool;
    head->truth = first == 0xc3;
    return true;
  }
  const bool number = (first >= 0xca && first <= 0xd3);
  return number ? Number(first, head) : Sized(first, head);
}

struct Time {
  int64_t seconds = 0;
  uint32_t nanos = 0;
};

std::optional<Time> TimeOf(const Head& head) {
  if (head.kind == Kind::kExt && head.bytes.size() == 8 && head.ext == 0) {
    const auto four = [&](size_t at) {
      uint32_t value = 0;
      for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(head.bytes[at + i]);
      return value;
    };
    return Time{static_cast<int32_t>(four(0)) < 0 && four(0) >= 0xFFFFFFFE
                    ? static_cast<int32_t>(four(0))
                    : static_cast<int64_t>(four(0)),
                four(4)};
  }
  if (head.kind == Kind::kUint && head.natural < uint64_t{1} << 40) {
    return Time{static_cast<int64_t>(head.natural), 0};
  }
  if (head.kind == Kind::kInt) return Time{head.number, 0};
  if (head.kind == Kind::kFloat && std::abs(head.real) < 1e12) {
    const double whole = std::floor(head.real);
    return Time{static_cast<int64_t>(whole), static_cast<uint32_t>((head.real - whole) * 1e9)};
  }
  return std::nullopt;
}

// Why a record was not made.
enum class Made { kYes, kBroken, kTooDeep, kTooLarge, kNoMemory };

class Writer {
 public:
  Writer(Reader* reader, const TranscodeLimits& limits, std::string* out)
      : reader_(*reader), limits_(limits), out_(*out) {}

  Made Value(size_t depth) {
    Head head;
    if (!reader_.Next(&head)) return Made::kBroken;
    return Write(head, depth);
  }
  Made Write(const Head& head, size_t depth);
  Made Members(uint32_t count, size_t depth, bool comma);
  void Date(const Time& time);

 private:
  Made Room(size_t more);
  Made Key();
  template <class Number>
  Made Digits(Number number) {
    char text[40];
    out_.append(text, std::to_chars(text, text + sizeof text, number).ptr);
    return Made::kYes;
  }
  Made String(std::string_view bytes) {
    // At worst a byte becomes six.
    if (const Made made = Room(bytes.size() * 6 + 2); made != Made::kYes) return made;
    AppendJsonString(bytes, &out_);
    return Made::kYes;
  }

  Reader& reader_;
  const TranscodeLimits& limits_;
  std::string& out_;
};

Made Writer::Room(size_t more) {
  const size_t need = out_.size() + more;
  if (need <= out_.capacity()) return Made::kYes;
  if (out_.size() > limits_.record_bytes_max) return Made::kTooLarge;
  // While it grows it is there twice.
  if (limits_.pay && !limits_.pay(need + 2 * out_.capacity())) return Made::kNoMemory;
  out_.reserve(std::max(need, 2 * out_.capacity()));
  return Made::kYes;
}

Made Writer::Write(const Head& head, size_t depth) {
  if (const Made made = Room(48); made != Made::kYes) return made;
  switch (head.kind) {
    case Kind::kNil: out_ += "null"; return Made::kYes;
    case Kind::kBool: out_ += head.truth ? "true" : "false"; return Made::kYes;
    case Kind::kInt: return Digits(head.number);
    case Kind::kUint: return Digits(head.natural);
    case Kind::kFloat:
      if (std::isfinite(head.real)) return Digits(head.real);
      out_ += "null";
      return Made::kYes;
    case Kind::kString:
    case Kind::kBinary:
    case Kind::kExt: return String(head.bytes);
    case Kind::kArray: break;
    case Kind::kMap: break;
  }
  if (depth >= limits_.depth_max) return Made::kTooDeep;
  if (head.kind == Kind::kMap) {
    out_ += '{';
    const Made made = Members(head.count, depth + 1, false);
    out_ += '}';
    return made;
  }
  out_ += '[';
  for (uint32_t i = 0; i < head.count; ++i) {
    if (i > 0) out_ += ',';
    if (const Made made = Value(depth + 1); made != Made::kYes) return made;
  }
  out_ += ']';
  return Made::kYes;
}

Made Writer::Members(uint32_t count, size_t depth, bool comma) {
  for (uint32_t i = 0; i < count; ++i) {
    if (comma || i > 0) out_ += ',';
    if (const Made made = Key(); made != Made::kYes) return made;
    out_ += ':';
    if (const Made made = Value(depth); made != Made::kYes) return made;
  }
  return Made::kYes;
}

// Keys are texts in all that Fluent Bit sends; a number is taken as it would be written.
Made Writer::Key() {
  Head head;
  if (!reader_.Next(&head)) return Made::kBroken;
  if (head.kind == Kind::kArray || head.kind == Kind::kMap) return Made::kBroken;
  if (head.kind == Kind::kString || head.kind == Kind::kBinary || head.kind == Kind::kExt) {
    return String(head.bytes);
  }
  if (const Made made = Room(64); made != Made::kYes) return made;
  out_ += '"';
  Write(head, 0);
  out_ += '"';
  return Made::kYes;
}

// As Fluent Bit's own JSON has it, but exact: at least one digit behind the point.
void Writer::Date(const Time& time) {
  out_ += "\"date\":";
  Digits(time.seconds);
  std::string digits = std::to_string(uint64_t{1'000'000'000} + time.nanos % 1'000'000'000);
  while (digits.size() > 2 && digits.back() == '0') digits.pop_back();
  out_ += '.';
  out_.append(digits, 1);
}

class Splitter {
 public:
  Splitter(std::string_view body, const TranscodeLimits& limits, std::string* text,
           RecordHandler* handler)
      : body_(body), limits_(limits), text_(*text), handler_(*handler), reader_(body) {}

  void Run() {
    while (!reader_.done()) {
      const size_t begin = reader_.at();
      text_.clear();
      bool mark = false;
      const Made made = Entry(&mark);
      if (made == Made::kNoMemory) return;
      if (made != Made::kYes) {
        // Where it ends can be told unless it is broken.
        reader_.set_at(begin);
        const bool whole = reader_.Skip();
        const size_t end = whole ? reader_.at() : body_.size();
        if (handler_.Unreadable(body_.substr(begin, end - begin)) == RecordHandler::Answer::kStop) {
          return;
        }
        if (!whole) return;
        continue;
      }
      if (mark) continue;
      const auto answer = handler_.Record(text_, ListKind::kNone);
      if (answer == RecordHandler::Answer::kStop) return;
      if (answer == RecordHandler::Answer::kUnreadable &&
          handler_.Unreadable(body_.substr(begin, reader_.at() - begin)) ==
              RecordHandler::Answer::kStop) {
        return;
      }
    }
  }

 private:
  Made Entry(bool* mark);

  const std::string_view body_;
  const TranscodeLimits& limits_;
  std::string& text_;
  RecordHandler& handler_;
  Reader reader_;
};

// Anything but an entry is written as what it is; a map alone is a record, the rest no object.
Made Splitter::Entry(bool* mark) {
  Writer writer(&reader_, limits_, &text_);
  const size_t begin = reader_.at();
  Head head, inner, map;
  if (!reader_.Next(&head)) return Made::kBroken;
  const auto as_it_is = [&] {
    reader_.set_at(begin);
    return writer.Value(0);
  };
  if (head.kind != Kind::kArray || head.count != 2) return as_it_is();
  if (!reader_.Next(&inner)) return Made::kBroken;
  const bool with_metadata = inner.kind == Kind::kArray && inner.count == 2;
  if (with_metadata && !reader_.Next(&inner)) return Made::kBroken;
  const auto time = TimeOf(inner);
  if (!time) return as_it_is();
  text_ += '{';
  writer.Date(*time);
  if (with_metadata) {
    Head metadata;
    if (!reader_.Next(&metadata)) return Made::kBroken;
    if (metadata.kind != Kind::kMap) {
      text_.clear();
      return as_it_is();
    }
    if (metadata.count > 0) {
      text_ += ",\"__internal__\":{\"log_metadata\":";
      if (const Made made = writer.Write(metadata, 2); made != Made::kYes) return made;
      text_ += '}';
    }
  }
  if (!reader_.Next(&map)) return Made::kBroken;
  if (map.kind != Kind::kMap) {
    text_.clear();
    return as_it_is();
  }
  *mark = time->seconds == -1 || time->seconds == -2;
  const Made made = writer.Members(map.count, 1, true);
  text_ += '}';
  return made;
}

}  // namespace

void SplitMsgpack(std::string_view body, const TranscodeLimits& limits, std::string* text,
                  RecordHandler* handler) {
  Splitter(body, limits, text, handler).Run();
}

}  // namespace spool
