// The inside of a chunk: what its events say, written so that repetition costs nothing.
//
//   texts: varint n, n × {varint length, bytes}          what several events say, once
//   rows:  varint length, one row an event:
//     head      1 byte: severity (bits 0 to 2), JSON (3), has a problem key (4)
//     time      zigzag varint, µs after the event before (the first: since 1970)
//     problem   varint index of a text of 16 bytes, if bit 4
//     the attributes in the order of kAttributes, each a varint:
//               0 absent · 1 composed (the subject: kind/namespace/name) · 2 + 2i the i-th text ·
//               3 + 2o the payload's own bytes from o on, then varint length
//     payload   varint length
//   payloads, one after another
//
// Names and namespaces are nearly always in the payload; pointing there costs a byte or two.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "spool/event.h"

namespace spool {

// One thread.
class BodyEncoder {
 public:
  BodyEncoder();
  // REQUIRES: `event` is as MakeEvent takes it.
  void Add(const EventView& event);
  // Roughly the bytes of the body so far.
  size_t bytes() const { return texts_bytes_ + rows_.size() + payloads_.size(); }
  // Puts the body of what was added in place of what is in `body`; begins anew.
  void TakeInto(std::string& body);

 private:
  static constexpr size_t kAttributesMax = 16;
  void PutAttribute(size_t which, const EventView& event);
  uint64_t TextIndex(std::string_view text);

  std::deque<std::string> texts_;
  std::unordered_map<std::string_view, uint64_t> indices_;  // into texts_
  size_t texts_bytes_ = 0;
  std::string rows_;
  std::string payloads_;
  int64_t last_time_ = 0;
  // Of the event before: where in the payload, and which text.
  size_t last_places_[kAttributesMax] = {};
  uint64_t last_texts_[kAttributesMax] = {};
};

// Goes over a body's events, forward only. One thread.
class BodyReader {
 public:
  // `body` must outlive it and what it gives. kDamaged.
  static Result<BodyReader> Open(std::string_view body);
  // The next event: time, problem key, attributes and payload; the rest of `view` is left alone.
  // Views point into the body and into what keeper() holds. False when there is none that makes
  // sense.
  bool Next(EventView* view);
  // Keeps composed texts alive; null when there are none so far.
  std::shared_ptr<const void> keeper() const { return composed_; }

 private:
  struct Composed;
  BodyReader() = default;

  std::vector<std::string_view> texts_;
  std::string_view rows_;
  std::string_view payloads_;
  int64_t last_time_ = 0;
  std::shared_ptr<Composed> composed_;
};

}  // namespace spool
