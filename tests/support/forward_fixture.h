// A real journal in a temporary directory, events to fill it with, and a sink that follows a
// script: what the tests of the pump and the forwarder stand on.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "forward/pump.h"
#include "forward/route.h"
#include "forward/sink.h"
#include "spool/cursor.h"
#include "spool/dead_letters.h"
#include "spool/journal.h"
#include "spool/reader.h"
#include "tests/support/manual_clock.h"

namespace spool {

// Three streams: "calm", "busy" and the special "locked".
class ForwardJournal {
 public:
  explicit ForwardJournal(const Clock* clock = nullptr) : clock_(clock) {
    const char* base = getenv("TMPDIR");
    std::string pattern = std::string(base != nullptr ? base : "/tmp") + "/spool-forward-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) abort();
    dir_ = pattern;
    options.streams.resize(3);
    options.streams[0].name = "calm";
    options.streams[1].name = "busy";
    options.streams[2].name = "locked";
    options.streams[2].special = true;
    options.disk_reserve_bytes = 0;
    options.reserve_file_bytes = 0;
    options.dir = dir_ + "/journal";
    if (clock_ != nullptr) options.clock = clock_;
  }
  ~ForwardJournal() {
    journal_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  const std::string& dir() const { return dir_; }

  void Open() {
    auto opened = Journal::Open(options);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    journal_ = std::move(*opened);
  }
  void Close() { journal_.reset(); }
  Journal& operator*() { return *journal_; }
  Journal* operator->() { return journal_.get(); }

  // Appends one event with that number; `kind` is the attribute that tests route by.
  void Append(uint64_t number, std::string_view stream = "calm", std::string_view kind = "Pod",
              size_t data_bytes = 0) {
    AppendMany({{number, std::string(stream), std::string(kind), data_bytes}});
  }
  struct Entry {
    uint64_t number;
    std::string stream = "calm";
    std::string kind = "Pod";
    size_t data_bytes = 0;
  };
  // One request; stored stream by stream.
  void AppendMany(const std::vector<Entry>& entries) {
    std::vector<Event> events;
    for (const Entry& entry : entries) {
      std::string data = "{\"n\":" + std::to_string(entry.number);
      if (entry.data_bytes > data.size() + 12) {
        data += ",\"fill\":\"" + std::string(entry.data_bytes - data.size() - 11, 'x') + "\"";
      }
      data += "}";
      const std::string name = "event-" + std::to_string(entry.number);
      EventView view;
      view.id = Sha256Prefix(name);
      view.time = options.clock->Now();
      view.source = "/clusters/test";
      view.type = "io.k8s.event.v1";
      view.producer = "k8s-event";
      view.kind = entry.kind;
      view.name = name;
      view.content_type = "application/json";
      view.data = data;
      events.push_back(MakeEvent(view, *journal_->FindStream(entry.stream)));
    }
    auto result = journal_->AppendAndWait(std::move(events), "web");
    ASSERT_TRUE(result.has_value()) << result.error().message;
    ASSERT_EQ(result->stored, entries.size());
  }
  // `count` events of that stream in one request, numbered on from what was appended before.
  void Fill(size_t count, std::string_view stream = "calm", std::string_view kind = "Pod") {
    std::vector<Entry> entries;
    for (size_t i = 0; i < count; ++i) {
      entries.push_back({++filled_, std::string(stream), std::string(kind)});
    }
    AppendMany(entries);
  }

  std::unique_ptr<Cursor> OpenCursor(const std::string& name, const StreamSet& streams,
                                     Sequence start = {1}) {
    Journal::CursorOptions cursor;
    cursor.name = name;
    cursor.streams = streams;
    cursor.start = start;
    auto opened = journal_->OpenCursor(cursor);
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    return opened ? std::move(*opened) : nullptr;
  }

  std::vector<DeadLetter> Dead(std::string_view target) {
    auto letters = journal_->dead_letters().List(target, std::nullopt, 100'000);
    EXPECT_TRUE(letters.has_value());
    return letters ? std::move(*letters) : std::vector<DeadLetter>();
  }

  JournalOptions options;

 private:
  const Clock* clock_;
  std::string dir_;
  uint64_t filled_ = 0;
  std::unique_ptr<Journal> journal_;
};

inline Router Everything() { return *Router::Compile({}, "t", true); }

// Answers each attempt by a function; keeps what was sent.
class ScriptedSink final : public Sink {
 public:
  using Script = std::function<void(std::span<const Message>, std::span<Outcome>)>;
  struct Sent {
    Sequence sequence;
    std::string body;
    std::string replay;
  };
  explicit ScriptedSink(Script answer = Accept) : script(std::move(answer)) {}

  Encoding encoding() const override { return Encoding::kCloudEvent; }
  void Deliver(std::span<const Message> messages, std::span<Outcome> outcomes, SteadyTime,
               std::stop_token) override {
    std::vector<Sent> attempt;
    for (const Message& message : messages) {
      attempt.push_back(
          {message.event->sequence, std::string(message.body), std::string(message.replay)});
    }
    attempts.push_back(std::move(attempt));
    script(messages, outcomes);
  }

  static void Accept(std::span<const Message>, std::span<Outcome> outcomes) {
    for (Outcome& outcome : outcomes) outcome.verdict = Verdict::kDelivered;
  }
  static Script Always(Verdict verdict, std::string code) {
    return [=](std::span<const Message>, std::span<Outcome> outcomes) {
      for (Outcome& outcome : outcomes) {
        outcome.verdict = verdict;
        outcome.code = code;
        outcome.excerpt = "says no";
      }
    };
  }
  size_t messages() const {
    size_t count = 0;
    for (const auto& attempt : attempts) count += attempt.size();
    return count;
  }

  Script script;
  std::vector<std::vector<Sent>> attempts;
};

// The account's equation, and that nothing is negative.
inline void ExpectBalanced(const Account& account) {
  EXPECT_EQ(account.accepted, account.settled() + account.pending)
      << "delivered " << account.delivered << " filtered " << account.filtered << " dead "
      << account.dead_lettered << " evicted " << account.evicted << " skipped " << account.skipped
      << " pending " << account.pending;
  EXPECT_LE(account.duplicates, account.delivered);
}

}  // namespace spool
