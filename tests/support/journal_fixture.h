// A journal in a directory of its own, and short ways to fill and read it.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "spool/cursor.h"
#include "spool/journal.h"
#include "spool/reader.h"
#include "tests/support/manual_clock.h"

namespace spool {

class ScratchDir {
 public:
  ScratchDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "spool-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~ScratchDir() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline StreamOptions StreamNamed(std::string name) {
  StreamOptions stream;
  stream.name = std::move(name);
  return stream;
}

inline Hash128 IdOf(uint64_t number) { return FastHash128("event " + std::to_string(number)); }

// The event `number`: its id follows from the number alone.
inline Event NumberedEvent(StreamId stream, uint64_t number, std::string_view data = "{}") {
  EventView view;
  view.id = IdOf(number);
  view.time = FromMicros(1'000'000 + static_cast<int64_t>(number));
  view.type = "test.v1";
  view.data = data;
  return MakeEvent(view, stream);
}

// An event that owns its bytes.
struct ReadEvent {
  Sequence sequence;
  uint64_t ordinal = 0;
  std::string stream;
  std::string origin;
  Hash128 id;
  SystemTime accepted;
  std::string data;
  bool operator==(const ReadEvent&) const = default;
};

struct ReadAnswer {
  std::vector<ReadEvent> events;
  std::vector<LostRange> lost;
  Sequence next;
};

inline ReadAnswer Copy(const Page& page) {
  ReadAnswer answer{{}, page.lost, page.next};
  for (const EventView& e : page.events) {
    answer.events.push_back({e.sequence, e.ordinal, std::string(e.stream), std::string(e.origin),
                             e.id, e.accepted, std::string(e.data)});
  }
  return answer;
}

class JournalTest : public ::testing::Test {
 protected:
  JournalTest() {
    options.dir = scratch.path() + "/journal";
    options.streams = {StreamNamed("audit"), StreamNamed("events")};
    options.disk_reserve_bytes = 0;
    options.reserve_file_bytes = 0;
    options.clock = &clock;
  }

  void Open() {
    auto opened = Journal::Open(options);
    ASSERT_TRUE(opened) << opened.error().message;
    journal = std::move(*opened);
  }
  void Reopen() {
    journal.reset();
    Open();
  }
  StreamId Stream(std::string_view name) const { return journal->FindStream(name).value(); }
  StreamSet Only(std::string_view name) const {
    StreamSet set;
    set.Add(Stream(name));
    return set;
  }
  AppendResult Append(std::vector<Event> events, std::string_view origin = "web") {
    auto appended = journal->AppendAndWait(std::move(events), origin);
    EXPECT_TRUE(appended) << (appended ? "" : appended.error().message);
    return appended.value_or(AppendResult{});
  }
  // One commit of the events first … first + count - 1.
  AppendResult AppendNumbers(std::string_view stream, uint64_t first, uint64_t count,
                             std::string_view data = "{}") {
    std::vector<Event> events;
    for (uint64_t i = 0; i < count; ++i) {
      events.push_back(NumberedEvent(Stream(stream), first + i, data));
    }
    return Append(std::move(events));
  }
  // Everything from `from` on, over as many pages as it takes.
  std::vector<ReadEvent> ReadAll(StreamSet streams, Sequence from = {1}, ReadLimits limits = {}) {
    std::vector<ReadEvent> all;
    auto reader = journal->NewReader(streams);
    while (from < journal->end()) {
      auto page = reader->Read(from, limits);
      if (!page) {
        ADD_FAILURE() << page.error().message;
        break;
      }
      const ReadAnswer answer = Copy(*page);
      all.insert(all.end(), answer.events.begin(), answer.events.end());
      if (answer.next <= from) {
        ADD_FAILURE() << "the reader does not move on from " << ToText(from);
        break;
      }
      from = answer.next;
    }
    return all;
  }
  StreamStatus StatusOf(std::string_view name) const {
    for (const auto& status : journal->Streams()) {
      if (status.name == name) return status;
    }
    return {};
  }

  ScratchDir scratch;
  ManualClock clock;
  JournalOptions options;
  std::unique_ptr<Journal> journal;
};

}  // namespace spool
