#include "spool/body.h"

#include <cstring>

#include "base/assert.h"
#include "spool/codec.h"

namespace spool {
namespace {

// In this order on disk; never reorder, only append with a new version of the chunk. What a
// subject is composed of comes before it.
constexpr std::string_view EventView::*kAttributes[] = {
    &EventView::kind,        &EventView::namespace_, &EventView::name,     &EventView::subject,
    &EventView::source,      &EventView::type,       &EventView::producer, &EventView::category,
    &EventView::subcategory, &EventView::cluster,    &EventView::reason,   &EventView::content_type,
    &EventView::extensions,
};
constexpr size_t kSubject = 3;

constexpr uint64_t kAbsent = 0;
constexpr uint64_t kComposed = 1;
constexpr uint8_t kJson = 8;
constexpr uint8_t kProblem = 16;
// Shorter ones cost as much to point at as to repeat, and are found where they do not belong.
constexpr size_t kPlaceMin = 4;
// Where a name stands when it stands in a payload at all; a search further costs more than it
// saves.
constexpr size_t kSearchedMax = 2048;

uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
int64_t UnZigZag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

size_t ComposedSize(const EventView& e) {
  return e.kind.size() + 1 + (e.namespace_.empty() ? 0 : e.namespace_.size() + 1) + e.name.size();
}
void Compose(const EventView& e, char* out) {
  const auto put = [&out](std::string_view text) {
    std::memcpy(out, text.data(), text.size());
    out += text.size();
  };
  put(e.kind);
  put("/");
  if (!e.namespace_.empty()) {
    put(e.namespace_);
    put("/");
  }
  put(e.name);
}
bool IsComposed(const EventView& e) {
  const std::string_view s = e.subject;
  if (e.kind.empty() || e.name.empty() || s.size() != ComposedSize(e)) return false;
  if (!s.starts_with(e.kind) || !s.ends_with(e.name)) return false;
  size_t at = e.kind.size();
  if (s[at++] != '/') return false;
  if (e.namespace_.empty()) return true;
  return s.substr(at).starts_with(e.namespace_) && s[at + e.namespace_.size()] == '/';
}

std::string_view Bytes(const Hash128& hash) {
  return {reinterpret_cast<const char*>(hash.bytes.data()), hash.bytes.size()};
}

}  // namespace

BodyEncoder::BodyEncoder() { static_assert(std::size(kAttributes) <= kAttributesMax); }

uint64_t BodyEncoder::TextIndex(std::string_view text) {
  const auto found = indices_.find(text);
  if (found != indices_.end()) return found->second;
  const uint64_t index = texts_.size();
  indices_.emplace(texts_.emplace_back(text), index);
  texts_bytes_ += text.size() + 1;
  return index;
}

void BodyEncoder::PutAttribute(size_t which, const EventView& event) {
  const std::string_view text = event.*kAttributes[which];
  if (text.empty()) return codec::PutVarint(rows_, kAbsent);
  if (which == kSubject && IsComposed(event)) return codec::PutVarint(rows_, kComposed);
  const auto place = [&](size_t at) {
    last_places_[which] = at;
    codec::PutVarint(rows_, 3 + 2 * static_cast<uint64_t>(at));
    codec::PutVarint(rows_, text.size());
  };
  if (text.size() >= kPlaceMin) {
    // Payloads of one producer are alike, so most of the time it is where the last one was.
    const size_t last = last_places_[which];
    if (event.data.substr(std::min(last, event.data.size())).starts_with(text)) return place(last);
  }
  const auto repeat = [&](uint64_t index) {
    last_texts_[which] = index;
    codec::PutVarint(rows_, 2 + 2 * index);
  };
  if (last_texts_[which] < texts_.size() && texts_[last_texts_[which]] == text) {
    return repeat(last_texts_[which]);
  }
  const auto found = indices_.find(text);
  if (found != indices_.end()) return repeat(found->second);
  if (text.size() >= kPlaceMin) {
    const size_t at = event.data.substr(0, kSearchedMax).find(text);
    if (at != std::string_view::npos) return place(at);
  }
  repeat(TextIndex(text));
}

void BodyEncoder::Add(const EventView& event) {
  const bool has_problem = !event.problem_key.empty();
  rows_ += static_cast<char>(static_cast<uint8_t>(event.severity) | (event.json ? kJson : 0) |
                             (has_problem ? kProblem : 0));
  const int64_t time = ToMicros(event.time);
  // Unsigned, since times may lie further apart than a signed number goes.
  codec::PutVarint(rows_, ZigZag(static_cast<int64_t>(static_cast<uint64_t>(time) -
                                                      static_cast<uint64_t>(last_time_))));
  last_time_ = time;
  if (has_problem) codec::PutVarint(rows_, TextIndex(Bytes(event.problem_key)));
  for (size_t i = 0; i < std::size(kAttributes); ++i) PutAttribute(i, event);
  codec::PutVarint(rows_, event.data.size());
  payloads_.append(event.data);
}

void BodyEncoder::TakeInto(std::string& body) {
  body.clear();
  body.reserve(bytes() + 16);
  codec::PutVarint(body, texts_.size());
  for (const std::string& text : texts_) codec::PutText(body, text);
  codec::PutText(body, rows_);
  body.append(payloads_);
  indices_.clear();
  texts_.clear();
  texts_bytes_ = 0;
  rows_.clear();
  constexpr size_t kKeptCapacity = size_t{2} << 20;  // one large event is no habit
  payloads_.clear();
  if (payloads_.capacity() > kKeptCapacity) payloads_.shrink_to_fit();
  last_time_ = 0;
  std::memset(last_places_, 0, sizeof last_places_);
}

// Texts that stand nowhere in the body.
struct BodyReader::Composed {
  static constexpr size_t kBlock = size_t{32} << 10;
  std::vector<std::unique_ptr<char[]>> blocks;
  size_t used = kBlock;

  char* Take(size_t size) {
    if (size > kBlock) return blocks.emplace(blocks.begin(), new char[size])->get();
    if (kBlock - used < size) {
      blocks.emplace_back(new char[kBlock]);
      used = 0;
    }
    char* at = blocks.back().get() + used;
    used += size;
    return at;
  }
};

Result<BodyReader> BodyReader::Open(std::string_view body) {
  codec::Parser in(body);
  BodyReader reader;
  const uint64_t texts = in.Varint();
  for (uint64_t i = 0; i < texts && in.ok(); ++i) reader.texts_.push_back(in.Text());
  reader.rows_ = in.Text();
  reader.payloads_ = in.rest();
  if (!in.ok()) return Fail(Code::kDamaged, "the chunk's body does not make sense");
  return reader;
}

bool BodyReader::Next(EventView* view) {
  codec::Parser in(rows_);
  const auto head = in.Fixed<uint8_t>();
  if (head >= 2 * kProblem) return false;
  view->severity = static_cast<Severity>(head & 7);
  view->json = (head & kJson) != 0;
  last_time_ = static_cast<int64_t>(static_cast<uint64_t>(last_time_) +
                                    static_cast<uint64_t>(UnZigZag(in.Varint())));
  view->time = FromMicros(last_time_);
  view->problem_key = Hash128{};
  if ((head & kProblem) != 0) {
    const uint64_t index = in.Varint();
    if (index >= texts_.size() || texts_[index].size() != view->problem_key.bytes.size()) {
      return false;
    }
    std::memcpy(view->problem_key.bytes.data(), texts_[index].data(), texts_[index].size());
  }
  // Where the payload ends is known only after the attributes that point into it.
  struct Place {
    uint64_t at, size;
  };
  Place places[std::size(kAttributes)];
  bool composed = false;
  for (size_t i = 0; i < std::size(kAttributes); ++i) {
    const uint64_t code = in.Varint();
    std::string_view& text = view->*kAttributes[i];
    text = {};
    places[i] = {0, 0};
    if (code == kAbsent) continue;
    if (code == kComposed) {
      if (i != kSubject) return false;
      composed = true;
    } else if (code % 2 == 0) {
      if ((code - 2) / 2 >= texts_.size()) return false;
      text = texts_[(code - 2) / 2];
    } else {
      places[i] = {(code - 3) / 2, in.Varint()};
    }
  }
  const uint64_t size = in.Varint();
  if (!in.ok() || size > payloads_.size()) return false;
  view->data = payloads_.substr(0, size);
  for (size_t i = 0; i < std::size(kAttributes); ++i) {
    if (places[i].size == 0) continue;
    if (places[i].at > size || places[i].size > size - places[i].at) return false;
    view->*kAttributes[i] = view->data.substr(places[i].at, places[i].size);
  }
  if (composed) {
    if (view->kind.empty() || view->name.empty()) return false;
    if (composed_ == nullptr) composed_ = std::make_shared<Composed>();
    const size_t length = ComposedSize(*view);
    char* text = composed_->Take(length);
    Compose(*view, text);
    view->subject = {text, length};
  }
  payloads_.remove_prefix(size);
  rows_ = in.rest();
  return true;
}

}  // namespace spool
