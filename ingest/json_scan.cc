#include "ingest/json_scan.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>

#include "ingest/json_text.h"

namespace spool {
namespace {

// simdjson's first stage finds every token (string-aware, with UTF-8 checked) many bytes at a
// time. Its second stage is not used: it refuses numbers beyond 64 bits, which producers send and
// which must survive, and it copies every string, of which we need but a few.
constexpr size_t kIndexKept = size_t{128} << 10;  // texts above this have an index of their own
constexpr size_t kIndexFirst = size_t{16} << 10;
constexpr size_t kMembersKept = 4096;
constexpr size_t kDepthLimit = 1024;   // of the stack below
constexpr size_t kLinearMembers = 64;  // objects up to here are compared key by key

// What is open at a depth; [0] is unused.
struct Level {
  bool object = false;
  int32_t member = -1;  // whose value this container is, -1 if that is not in view
  uint32_t start = 0;
};

// What a byte is to the first stage, as far as one byte can tell.
enum class ByteKind : uint8_t { kOther, kSpace, kMark };
constexpr std::array<ByteKind, 256> kByteKinds = [] {
  std::array<ByteKind, 256> kinds{};
  for (const char c : {' ', '\n', '\r', '\t'}) kinds[static_cast<uint8_t>(c)] = ByteKind::kSpace;
  for (const char c : {'{', '}', '[', ']', ':', ',', '"'}) {
    kinds[static_cast<uint8_t>(c)] = ByteKind::kMark;
  }
  return kinds;
}();

// At least as many as the first stage finds, which leaves out what is inside of strings.
size_t TokensAtMost(std::string_view text) {
  size_t tokens = 0;
  ByteKind before = ByteKind::kSpace;
  for (const char c : text) {
    const ByteKind kind = kByteKinds[static_cast<uint8_t>(c)];
    tokens += kind == ByteKind::kMark || (kind == ByteKind::kOther && before != ByteKind::kOther);
    before = kind;
  }
  return tokens;
}

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsNumber(std::string_view t) {
  size_t i = 0;
  const auto digits = [&] {
    const size_t from = i;
    while (i < t.size() && IsDigit(t[i])) ++i;
    return i > from;
  };
  if (i < t.size() && t[i] == '-') ++i;
  if (i < t.size() && t[i] == '0') {
    ++i;
  } else if (!digits()) {
    return false;
  }
  if (i < t.size() && t[i] == '.') {
    ++i;
    if (!digits()) return false;
  }
  if (i < t.size() && (t[i] == 'e' || t[i] == 'E')) {
    ++i;
    if (i < t.size() && (t[i] == '+' || t[i] == '-')) ++i;
    if (!digits()) return false;
  }
  return i == t.size();
}

// Keys that a log shipper puts in front of a record that may hold them already; the pair is
// usual, and neither is looked at as identity.
bool MayRepeat(std::string_view key) { return key == "date" || key == "@timestamp"; }

// Where a string goes wrong (a control character in it, or no end): for the error's offset only.
size_t StringFaultAt(std::string_view text) {
  bool inside = false;
  size_t opened = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!inside) {
      if (c == '"') inside = true, opened = i;
    } else if (c == '\\') {
      ++i;
    } else if (c == '"') {
      inside = false;
    } else if (static_cast<uint8_t>(c) < 0x20) {
      return i;
    }
  }
  return inside ? opened : 0;
}

JsonResult FaultOf(simdjson::error_code error, std::string_view text) {
  switch (error) {
    case simdjson::UTF8_ERROR: return {JsonFault::kUtf8, Utf8FaultAt(text), JsonKind::kNull};
    case simdjson::UNESCAPED_CHARS:
    case simdjson::UNCLOSED_STRING:
      return {JsonFault::kSyntax, StringFaultAt(text), JsonKind::kNull};
    default: return {JsonFault::kSyntax, 0, JsonKind::kNull};
  }
}

}  // namespace

struct JsonScanner::Index {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> stage;
  size_t capacity = 0;
  std::array<Level, kDepthLimit + 2> levels;  // kept here, since clearing it for each text costs

  simdjson::error_code Build(std::string_view text) {
    if (text.size() > capacity || !stage) {
      const size_t wanted = text.size() > kIndexKept
                                ? text.size()
                                : std::clamp(text.size() * 3 / 2, kIndexFirst, kIndexKept);
      stage.reset();
      capacity = 0;
      const auto error =
          simdjson::get_active_implementation()->create_dom_parser_implementation(wanted, 1, stage);
      if (error) return error;
      capacity = wanted;
    }
    return stage->stage1(reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                         simdjson::stage1_mode::regular);
  }
  // A large text's index lives no longer than the look at it.
  void Trim() {
    if (capacity <= kIndexKept) return;
    stage.reset();
    capacity = 0;
  }
};

// One pass over the tokens of one text.
class JsonScanner::Walker {
 public:
  Walker(std::string_view text, const uint32_t* tokens, size_t count, size_t depth_max,
         JsonScanner* scanner)
      : text_(text),
        tokens_(tokens),
        count_(count),
        depth_max_(std::min(depth_max, kDepthLimit)),
        scanner_(*scanner),
        slash_(text.find('\\')),
        levels_(scanner->index_->levels) {}

  JsonResult Run();

 private:
  enum class State { kValue, kFirstValue, kKey, kFirstKey, kAfter };
  // The members of a container in view, to find keys that repeat.
  struct Keys {
    uint64_t seen = 0;  // a bit per hash of a key
    size_t first = 0;   // of the object's members
    size_t count = 0;
  };

  size_t Begin(size_t i) const { return tokens_[i]; }
  std::string_view Token(size_t i) const {
    size_t end = i + 1 < count_ ? tokens_[i + 1] : text_.size();
    while (IsSpace(text_[end - 1])) --end;  // a token's first byte is never white space
    return text_.substr(tokens_[i], end - tokens_[i]);
  }
  bool Fault(JsonFault fault, size_t offset) {
    if (result_.fault == JsonFault::kNone) result_.fault = fault, result_.offset = offset;
    return false;
  }

  bool Value();
  bool Key();
  bool KeyAndColon();
  bool After();
  bool Open(bool object);
  bool Close(bool object);
  bool Scalar(JsonKind kind, std::string_view value, bool escaped);
  // The string token at at_, without its quotes.
  bool String(std::string_view* raw, bool* escaped);
  bool Escapes(std::string_view raw, size_t offset);
  bool Remember(std::string_view key, size_t offset);
  bool KeysDiffer(const Keys& keys);
  bool InView() const {
    return top_object_ && depth_ >= 1 && depth_ <= 2 && levels_[depth_].object;
  }

  const std::string_view text_;
  const uint32_t* const tokens_;
  const size_t count_;
  const size_t depth_max_;
  JsonScanner& scanner_;

  JsonResult result_;
  State state_ = State::kValue;
  size_t at_ = 0;
  size_t depth_ = 0;
  size_t slash_;  // the first backslash that is not before the last string; npos: none
  bool top_object_ = false;
  int32_t member_ = -1;  // waiting for its value
  std::array<Level, kDepthLimit + 2>& levels_;
  std::array<Keys, 3> keys_;
};

JsonResult JsonScanner::Walker::Run() {
  for (; at_ < count_; ++at_) {
    bool ok = false;
    switch (state_) {
      case State::kFirstValue: ok = text_[Begin(at_)] == ']' ? Close(false) : Value(); break;
      case State::kValue: ok = Value(); break;
      case State::kFirstKey: ok = text_[Begin(at_)] == '}' ? Close(true) : Key(); break;
      case State::kKey: ok = Key(); break;
      case State::kAfter: ok = After(); break;
    }
    if (!ok) return result_;
  }
  if (depth_ != 0 || state_ != State::kAfter) Fault(JsonFault::kSyntax, text_.size());
  return result_;
}

bool JsonScanner::Walker::Value() {
  const size_t begin = Begin(at_);
  switch (text_[begin]) {
    case '{': return Open(true);
    case '[': return Open(false);
    case '"': {
      std::string_view raw;
      bool escaped = false;
      return String(&raw, &escaped) && Scalar(JsonKind::kString, raw, escaped);
    }
    case 't':
      return Token(at_) == "true" ? Scalar(JsonKind::kTrue, Token(at_), false)
                                  : Fault(JsonFault::kSyntax, begin);
    case 'f':
      return Token(at_) == "false" ? Scalar(JsonKind::kFalse, Token(at_), false)
                                   : Fault(JsonFault::kSyntax, begin);
    case 'n':
      return Token(at_) == "null" ? Scalar(JsonKind::kNull, Token(at_), false)
                                  : Fault(JsonFault::kSyntax, begin);
    default: {
      const std::string_view token = Token(at_);
      return IsNumber(token) ? Scalar(JsonKind::kNumber, token, false)
                             : Fault(JsonFault::kSyntax, begin);
    }
  }
}

bool JsonScanner::Walker::Scalar(JsonKind kind, std::string_view value, bool escaped) {
  if (member_ >= 0) {
    JsonMember& member = scanner_.members_[static_cast<size_t>(member_)];
    member.value = value;
    member.kind = kind;
    member.escaped = escaped;
    member_ = -1;
  }
  if (depth_ == 0) result_.kind = kind;
  state_ = State::kAfter;
  return true;
}

bool JsonScanner::Walker::Open(bool object) {
  const size_t begin = Begin(at_);
  if (depth_ == depth_max_) return Fault(JsonFault::kDepth, begin);
  if (depth_ == 0) {
    top_object_ = object;
    result_.kind = object ? JsonKind::kObject : JsonKind::kArray;
  }
  ++depth_;
  levels_[depth_] = {object, member_, static_cast<uint32_t>(begin)};
  member_ = -1;
  if (depth_ <= 2) keys_[depth_] = {0, scanner_.members_.size(), 0};
  state_ = object ? State::kFirstKey : State::kFirstValue;
  return true;
}

bool JsonScanner::Walker::Close(bool object) {
  const size_t begin = Begin(at_);
  if (depth_ == 0 || levels_[depth_].object != object) return Fault(JsonFault::kSyntax, begin);
  if (InView() && keys_[depth_].count > kLinearMembers && !KeysDiffer(keys_[depth_])) return false;
  const Level& level = levels_[depth_];
  if (level.member >= 0) {
    JsonMember& member = scanner_.members_[static_cast<size_t>(level.member)];
    member.value = text_.substr(level.start, begin + 1 - level.start);
    member.kind = object ? JsonKind::kObject : JsonKind::kArray;
  }
  --depth_;
  state_ = State::kAfter;
  return true;
}

// Most values are texts with a comma and the next key behind them: those are taken along.
bool JsonScanner::Walker::Key() {
  for (;;) {
    if (!KeyAndColon()) return false;
    if (at_ + 1 >= count_ || text_[Begin(at_ + 1)] != '"') return true;
    ++at_;
    std::string_view raw;
    bool escaped = false;
    if (!String(&raw, &escaped) || !Scalar(JsonKind::kString, raw, escaped)) return false;
    if (at_ + 2 >= count_ || text_[Begin(at_ + 1)] != ',' || text_[Begin(at_ + 2)] != '"')
      return true;
    at_ += 2;
  }
}

bool JsonScanner::Walker::KeyAndColon() {
  const size_t begin = Begin(at_);
  if (text_[begin] != '"') return Fault(JsonFault::kSyntax, begin);
  std::string_view key;
  bool escaped = false;
  if (!String(&key, &escaped)) return false;
  ++at_;
  if (at_ >= count_) return Fault(JsonFault::kSyntax, text_.size());
  if (text_[Begin(at_)] != ':') return Fault(JsonFault::kSyntax, Begin(at_));
  state_ = State::kValue;
  if (!InView()) return true;
  if (escaped) {
    scanner_.key_bytes_ += key.size();
    if (scanner_.key_bytes_ > kJsonEscapedKeysMax) return Fault(JsonFault::kTooManyMembers, begin);
    auto text = std::make_unique<std::string>();
    AppendUnescaped(key, text.get());
    key = *text;
    scanner_.keys_.push_back(std::move(text));
  }
  return Remember(key, begin);
}

bool JsonScanner::Walker::After() {
  const size_t begin = Begin(at_);
  if (depth_ == 0) return Fault(JsonFault::kSyntax, begin);
  switch (text_[begin]) {
    case ',': state_ = levels_[depth_].object ? State::kKey : State::kValue; return true;
    case '}': return Close(true);
    case ']': return Close(false);
    default: return Fault(JsonFault::kSyntax, begin);
  }
}

bool JsonScanner::Walker::String(std::string_view* raw, bool* escaped) {
  const std::string_view token = Token(at_);
  if (token.size() < 2 || token.back() != '"') return Fault(JsonFault::kSyntax, Begin(at_));
  *raw = token.substr(1, token.size() - 2);
  const size_t begin = Begin(at_) + 1;
  if (slash_ < begin) slash_ = text_.find('\\', begin);
  *escaped = slash_ < begin + raw->size();
  return !*escaped || Escapes(*raw, Begin(at_) + 1);
}

bool JsonScanner::Walker::Escapes(std::string_view raw, size_t offset) {
  const auto hex4 = [raw](size_t at) -> std::optional<uint32_t> {
    if (at + 4 > raw.size()) return std::nullopt;
    uint32_t value = 0;
    for (size_t i = at; i < at + 4; ++i) {
      const char c = static_cast<char>(raw[i] | 0x20);
      if (IsDigit(raw[i]))
        value = value * 16 + static_cast<uint32_t>(raw[i] - '0');
      else if (c >= 'a' && c <= 'f')
        value = value * 16 + static_cast<uint32_t>(c - 'a' + 10);
      else
        return std::nullopt;
    }
    return value;
  };
  for (size_t i = raw.find('\\'); i != std::string_view::npos; i = raw.find('\\', i)) {
    const char c = i + 1 < raw.size() ? raw[i + 1] : '\0';
    if (c != 'u') {
      if (c == '\0' || std::strchr("\"\\/bfnrt", c) == nullptr) {
        return Fault(JsonFault::kSyntax, offset + i);
      }
      i += 2;
      continue;
    }
    const auto unit = hex4(i + 2);
    if (!unit) return Fault(JsonFault::kSyntax, offset + i);
    if (*unit < 0xD800 || *unit > 0xDFFF) {
      i += 6;
      continue;
    }
    const auto low = raw.substr(i + 6).starts_with("\\u") ? hex4(i + 8) : std::nullopt;
    if (*unit > 0xDBFF || !low || *low < 0xDC00 || *low > 0xDFFF) {
      return Fault(JsonFault::kUtf8, offset + i);
    }
    i += 12;
  }
  return true;
}

bool JsonScanner::Walker::Remember(std::string_view key, size_t offset) {
  auto& members = scanner_.members_;
  if (members.size() == kJsonMembersMax) return Fault(JsonFault::kTooManyMembers, offset);
  Keys& keys = keys_[depth_];
  const auto depth = static_cast<uint8_t>(depth_);
  const size_t size = key.size();
  const size_t hash = size == 0 ? 0
                                : size * 7 + static_cast<uint8_t>(key[size - 1]) * 5 +
                                      static_cast<uint8_t>(key[size / 2]) * 11;
  const uint64_t bit = uint64_t{1} << (hash & 63);
  if ((keys.seen & bit) != 0 && keys.count < kLinearMembers) {
    for (size_t i = keys.first; i < members.size(); ++i) {
      if (members[i].depth == depth && members[i].key == key && !(depth == 1 && MayRepeat(key))) {
        return Fault(JsonFault::kDuplicateKey, offset);
      }
    }
  }
  keys.seen |= bit;
  ++keys.count;
  member_ = static_cast<int32_t>(members.size());
  members.push_back({key, {}, JsonKind::kNull, false, depth});
  return true;
}

bool JsonScanner::Walker::KeysDiffer(const Keys& keys) {
  std::vector<std::string_view> sorted;
  sorted.reserve(keys.count);
  for (size_t i = keys.first; i < scanner_.members_.size(); ++i) {
    const JsonMember& member = scanner_.members_[i];
    if (member.depth == depth_ && !(depth_ == 1 && MayRepeat(member.key))) {
      sorted.push_back(member.key);
    }
  }
  std::sort(sorted.begin(), sorted.end());
  return std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end() ||
         Fault(JsonFault::kDuplicateKey, levels_[depth_].start);
}

JsonScanner::JsonScanner() : index_(std::make_unique<Index>()) {}
JsonScanner::~JsonScanner() = default;

JsonResult JsonScanner::Scan(std::string_view text, size_t depth_max) {
  members_.clear();
  keys_.clear();
  key_bytes_ = 0;
  if (text.empty() || text.size() > std::numeric_limits<int32_t>::max()) {
    return {JsonFault::kSyntax, 0, JsonKind::kNull};
  }
  const simdjson::error_code built = index_->Build(text);
  const JsonResult result = built ? FaultOf(built, text) : Walk(text, depth_max);
  index_->Trim();
  return result;
}

JsonResult JsonScanner::Walk(std::string_view text, size_t depth_max) {
  Walker walker(text, index_->stage->structural_indexes.get(), index_->stage->n_structural_indexes,
                depth_max, this);
  return walker.Run();
}

size_t JsonScanner::MemoryFor(std::string_view text) {
  if (text.size() <= kIndexKept) return 0;
  const size_t tokens = TokensAtMost(text);
  // A member is at least a key, a colon and a value. While it grows, a vector is there twice.
  const size_t members = std::min(kJsonMembersMax, tokens / 3);
  return tokens * sizeof(uint32_t) + 2 * members * sizeof(JsonMember);
}

void JsonScanner::Trim() {
  if (members_.capacity() > kMembersKept) {
    members_.clear();
    members_.shrink_to_fit();
  }
  keys_.clear();
}

}  // namespace spool
