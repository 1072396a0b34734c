#include "tests/support/journal_driver.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "spool/reader.h"
#include "tests/support/journal_fixture.h"

namespace spool::testing {
namespace {

constexpr std::array<const char*, 3> kStreams = {"aged", "plain", "sized"};

uint64_t Mixed(uint64_t x) {
  x ^= x >> 31;
  x *= 0x7fb5d329728ea185;
  x ^= x >> 27;
  return x * 0x81dadef4bc2dd44d;
}

CursorState StateOf(const Cursor& cursor) {
  CursorState state;
  state.next = cursor.next().value;
  state.account = cursor.account();
  return state;
}

}  // namespace

std::string JournalDriver::DataOf(uint64_t number) {
  const uint64_t mixed = Mixed(number);
  size_t size = 10 + mixed % 500;
  if (mixed % 13 == 0) size = 4'000 + mixed % 30'000;
  if (mixed % 97 == 0) size = 150'000;
  std::string data = "event " + std::to_string(number) + " ";
  if (mixed % 3 == 0) return data.append(size, static_cast<char>('a' + number % 26));
  data.reserve(data.size() + size + 8);
  for (uint64_t x = mixed; size >= 8; size -= 8) {
    x = Mixed(x + 1);
    data.append(reinterpret_cast<const char*>(&x), 8);  // does not compress
  }
  return data;
}

JournalDriver::JournalDriver(const std::string& dir, uint64_t seed)
    : dir_(dir), random_(seed), disk_(dir + "/db"), watermark_(dir + "/WATERMARK") {
  options_.dir = dir;
  options_.streams = {StreamNamed("aged"), StreamNamed("plain"), StreamNamed("sized")};
  options_.streams[0].age_max = std::chrono::hours(1);
  options_.streams[2].bytes_max = 200'000;
  options_.streams[2].when_full = WhenFull::kDropOldest;
  options_.disk_reserve_bytes = 0;
  options_.reserve_file_bytes = 0;
  options_.dedupe_window = std::chrono::hours(48);  // longer than any life
  options_.caller_packs_bytes = Pick(2) == 0 ? 1 : 20'000;
  options_.clock = &clock_;
  options_.env = disk_.env();
  options_.on_fatal = [this](const Error&) {
    ++fatal_calls_;
    const std::lock_guard lock(mutex_);
    history_.outages.push_back({Tick(), 0});
  };
  targets_.push_back({"all", {"aged", "plain", "sized"}, nullptr, {}});
  targets_.push_back({"some", {"aged", "plain"}, nullptr, {}});
}

JournalDriver::~JournalDriver() { Close(); }

Status JournalDriver::Open() {
  fatal_calls_ = 0;
  auto opened = Journal::Open(options_);
  if (!opened) {
    refusal_ = opened.error();
    return tl::unexpected(opened.error());
  }
  journal_ = std::move(*opened);
  {
    const std::lock_guard lock(mutex_);
    for (Outage& outage : history_.outages) {
      if (outage.ended == 0) outage.ended = Tick();
    }
  }
  for (Target& target : targets_) {
    StreamSet streams;
    for (const std::string& name : target.streams) streams.Add(*journal_->FindStream(name));
    auto cursor = journal_->OpenCursor({"target/" + target.name, streams, {1}});
    if (!cursor) {
      refusal_ = cursor.error();
      Close();
      return tl::unexpected(cursor.error());
    }
    target.cursor = std::move(*cursor);
    auto& states = history_.cursors["target/" + target.name];
    if (!states.empty()) continue;
    states.push_back(StateOf(*target.cursor));
    states.back().ended = Tick();
    states.back().synced = true;
  }
  return {};
}

void JournalDriver::Close() {
  WaitForAnswers();
  for (Target& target : targets_) target.cursor.reset();
  bool in_order = journal_ == nullptr || journal_->healthy();
  journal_.reset();
  in_order = in_order && disk_.failed() == 0 && !disk_.cut();
  if (!in_order) NoteRestart();
}

void JournalDriver::NoteRestart() { history_.restarts.push_back(Tick()); }

// Four of five events, and the same ones each time.
bool JournalDriver::Wants(const std::string& target, uint64_t number) {
  return Mixed(number + FastHash64(target)) % 5 != 0;
}

void JournalDriver::Step() {
  const uint64_t what = Pick(100);
  const size_t which = Pick(targets_.size());
  Target& target = targets_[which];
  // Now and then a target stands still for so long that what it needs grows old.
  if (Pick(40) == 0) stalled_ = Pick(targets_.size() + 1);
  if (what < 52) {
    Append();
  } else if (what < 78) {
    if (which != stalled_) Advance(target, false);
  } else if (what < 84) {
    Retain();
  } else if (what < 89) {
    clock_.Advance(std::chrono::minutes(Pick(Pick(3) == 0 ? 90 : 25)));
  } else if (what < 92) {
    Skip(target);
  } else if (what < 96) {
    Redeem(target);
  } else {
    Close();
    if (!disk_.cut()) static_cast<void>(Open());  // refused: failed() says so
  }
  if (Pick(2) == 0) WaitForAnswers();
}

void JournalDriver::Append() {
  for (uint64_t requests = 1 + Pick(4); requests > 0; --requests) {
    if (!in_doubt_.empty() && Pick(3) == 0) {
      std::vector<SentEvent> again = std::move(in_doubt_.front());
      in_doubt_.pop_front();
      for (const SentEvent& event : again) history_.gone.erase(event.number);
      Send(std::move(again), "web");
      continue;
    }
    if (Pick(5) == 0 && SendAgain()) continue;
    std::vector<SentEvent> events;
    const char* only = kStreams[Pick(kStreams.size())];
    const bool mixed = Pick(4) == 0;
    for (uint64_t count = 1 + Pick(8); count > 0; --count) {
      const uint64_t number = next_number_++;
      events.push_back(
          {number, mixed ? kStreams[Pick(kStreams.size())] : only, FastHash64(DataOf(number))});
      numbers_[IdOf(number)] = number;
      for (const Target& target : targets_) {
        if (!Wants(target.name, number)) history_.unwanted[target.name].insert(number);
      }
    }
    Send(std::move(events), "web");
  }
}

// A request whose answer its producer did not get, though it was stored. Only where nothing is
// evicted, or a repeat would rightly be stored anew.
bool JournalDriver::SendAgain() {
  std::vector<SentEvent> again;
  {
    const std::lock_guard lock(mutex_);
    if (history_.requests.empty()) return false;
    const SentRequest& request = history_.requests[Pick(history_.requests.size())];
    const bool kept = std::all_of(request.events.begin(), request.events.end(),
                                  [](const SentEvent& event) { return event.stream == "plain"; });
    const bool stored = request.outcome == SentRequest::Outcome::kAcknowledged ||
                        history_.places.contains(request.events.front().number);
    if (!kept || !stored) return false;
    again = request.events;
  }
  Send(std::move(again), "web");
  return true;
}

void JournalDriver::Send(std::vector<SentEvent> events, const char* origin) {
  std::vector<Event> made;
  for (const SentEvent& event : events) {
    made.push_back(
        NumberedEvent(*journal_->FindStream(event.stream), event.number, DataOf(event.number)));
  }
  size_t index = 0;
  {
    const std::lock_guard lock(mutex_);
    index = history_.requests.size();
    SentRequest request;
    request.events = std::move(events);
    request.begun = Tick();
    history_.requests.push_back(std::move(request));
    ++outstanding_;
  }
  journal_->Append(std::move(made), origin, [this, index](Result<AppendResult> result) {
    const std::lock_guard lock(mutex_);
    SentRequest& request = history_.requests[index];
    request.ended = Tick();
    if (result) {
      request.outcome = SentRequest::Outcome::kAcknowledged;
      request.first = result->first.value;
      request.last = result->last.value;
      request.stored = result->stored;
      request.duplicates = result->duplicates;
      if (result->stored > 0) history_.synced = std::max(history_.synced, request.begun);
    } else if (result.error().code != Code::kStorage) {
      request.outcome = SentRequest::Outcome::kRefused;
    }
    --outstanding_;
    answered_.notify_all();
  });
}

void JournalDriver::WaitForAnswers() {
  std::unique_lock lock(mutex_);
  if (!answered_.wait_for(lock, std::chrono::seconds(60), [&] { return outstanding_ == 0; })) {
    unanswered_ = true;
  }
}

void JournalDriver::Record(Target& target, uint64_t begun, CursorState state, bool done,
                           bool synced) {
  state.ended = Tick();
  state.certain = done;
  state.synced = done && synced;
  history_.cursors["target/" + target.name].push_back(state);
  const std::lock_guard lock(mutex_);
  if (state.synced) history_.synced = std::max(history_.synced, begun);
}

// Settles a part of what lies before the cursor, at random.
void JournalDriver::Advance(Target& target, bool all) {
  Cursor& cursor = *target.cursor;
  const ReadLimits limits{all ? 10'000 : 1 + Pick(60), size_t{1} << 20};
  auto page = journal_->NewReader(cursor.streams())->Read(cursor.next(), limits);
  if (!page) return;  // the disk is gone
  Settlement s;
  s.next = page->next;
  std::map<StreamId, uint64_t> places;
  for (const LostRange& lost : page->lost) {
    const uint64_t place = cursor.OrdinalOf(lost.stream);
    if (lost.ordinal <= place) continue;
    s.evicted += lost.ordinal - place;
    places[lost.stream] = lost.ordinal;
  }
  for (const EventView& event : page->events) {
    places[event.stream_id] = event.ordinal + 1;
    const FoundEvent read = ToFound(event);
    if (!Wants(target.name, read.number)) {
      ++s.filtered;
      continue;
    }
    history_.deliveries[target.name].push_back({read.number, read.sequence, read.hash, Tick()});
    if (Pick(40) == 0 && !all) {
      DeadLetter letter;
      letter.id = {target.name, event.sequence, {}};
      letter.event_id = event.id;
      letter.reason = "rejected";
      letter.stream = event.stream;
      letter.accepted = event.accepted;
      letter.origin = event.origin;
      letter.record = MakeEvent(event, event.stream_id).record;
      s.dead.push_back(std::move(letter));
    } else {
      ++s.delivered;
    }
  }
  for (const auto& [stream, ordinal] : places) s.moves.push_back({stream, ordinal});
  CursorState wanted = StateOf(cursor);
  wanted.next = s.next.value;
  wanted.account.delivered += s.delivered;
  wanted.account.filtered += s.filtered;
  wanted.account.evicted += s.evicted;
  wanted.account.dead_lettered += s.dead.size();
  const uint64_t begun = Tick();
  const bool done = cursor.Advance(s).has_value();
  Record(target, begun, wanted, done, !s.dead.empty());
  if (!done) return;
  for (const DeadLetter& letter : s.dead) target.letters.push_back(letter.id);
}

void JournalDriver::Skip(Target& target) {
  Cursor& cursor = *target.cursor;
  CursorState wanted = StateOf(cursor);
  const uint64_t before = wanted.account.settled();
  const Sequence to =
      cursor.next() + Pick(std::min<uint64_t>(journal_->end() - cursor.next(), 9) + 1);
  const uint64_t begun = Tick();
  const bool done = cursor.SkipTo(to, "operator").has_value();
  if (done) {
    wanted = StateOf(cursor);
  } else {
    // How much of it retention had taken by then is not known here; only a failed disk can fail it.
    wanted.next = to.value;
    wanted.sum_of_passed = true;
    auto page = journal_->NewReader(cursor.streams())->Read(cursor.next(), {10, size_t{8} << 20});
    if (!page) return;
    for (const LostRange& lost : page->lost) {
      const uint64_t place = cursor.OrdinalOf(lost.stream);
      if (lost.ordinal > place) wanted.account.skipped += lost.ordinal - place;
    }
    for (const EventView& event : page->events) wanted.account.skipped += event.sequence < to;
  }
  if (done && wanted.account.settled() == before && wanted.next == cursor.next().value) {
    Record(target, begun, wanted, true, true);
    return;
  }
  Record(target, begun, wanted, done, true);
}

void JournalDriver::Redeem(Target& target) {
  if (target.letters.empty()) return;
  const size_t which = Pick(target.letters.size());
  CursorState wanted = StateOf(*target.cursor);
  --wanted.account.dead_lettered;
  ++wanted.account.delivered;
  const uint64_t begun = Tick();
  const bool done = target.cursor->Redeem(target.letters[which]).has_value();
  Record(target, begun, wanted, done, true);
  target.letters.erase(target.letters.begin() + static_cast<ptrdiff_t>(which));
}

void JournalDriver::Retain() {
  static_cast<void>(journal_->RunRetention());
  for (const StreamStatus& stream : journal_->Streams()) {
    history_.evicted[stream.name] = stream.evicted;
  }
}

void JournalDriver::Drain() {
  WaitForAnswers();
  for (Target& target : targets_) {
    while (target.cursor->account().pending > 0 && !failed()) Advance(target, true);
  }
}

std::string JournalDriver::Crash(uint64_t seed) {
  disk_.CutNow();
  watermark_.CutNow();
  Close();
  NoteRestart();
  std::string told = disk_.Crash(seed) + watermark_.Crash(seed);
  if (without_watermark_) std::filesystem::remove(dir_ + "/WATERMARK");
  return told;
}

FoundEvent JournalDriver::ToFound(const EventView& event) const {
  FoundEvent found;
  const auto known = numbers_.find(event.id);
  if (known != numbers_.end()) found.number = known->second;
  found.stream = event.stream;
  found.sequence = event.sequence.value;
  found.ordinal = event.ordinal;
  found.hash = FastHash64(event.data);
  return found;
}

Result<Found> JournalDriver::Look() {
  WaitForAnswers();
  for (;;) {
    Found found;
    const Status scrubbed = journal_->RunScrub();
    if (!scrubbed) found.chain_breaks.push_back(scrubbed.error().message);
    const ScrubStatus scrub = journal_->Scrub();
    if (scrub.damaged > 0) found.chain_breaks.push_back(scrub.last_damage);
    found.end = journal_->end().value;
    uint64_t evicted = 0;
    for (const StreamStatus& status : journal_->Streams()) {
      FoundStream& stream = found.streams[status.name];
      stream = {status.first.value, status.evicted,         0,
                status.events,      status.name != "plain", status.name == "sized"};
      evicted += status.evicted;
    }
    for (const Marker& marker : journal_->Markers()) {
      if (marker.kind == Marker::Kind::kEvicted) {
        found.streams[marker.subject].marked += marker.events;
        found.streams[marker.subject].undelivered += marker.undelivered;
      }
    }
    const auto reader = journal_->NewReader(journal_->AllWithSpecial());
    for (Sequence from{1}; from < journal_->end();) {
      auto page = reader->Read(from, {.events_max = 5'000, .bytes_max = size_t{8} << 20});
      if (!page) return tl::unexpected(page.error());
      for (const EventView& event : page->events) found.events.push_back(ToFound(event));
      if (page->next <= from) return Fail(Code::kDamaged, "the reader does not move on");
      from = page->next;
    }
    for (const Target& target : targets_) {
      FoundCursor& cursor = found.cursors["target/" + target.name];
      cursor.next = target.cursor->next().value;
      cursor.account = target.cursor->account();
      cursor.streams = {target.streams.begin(), target.streams.end()};
      for (const std::string& name : target.streams) {
        cursor.places[name] = target.cursor->OrdinalOf(*journal_->FindStream(name));
      }
      auto letters = journal_->dead_letters().List(target.name, std::nullopt, 100'000);
      if (!letters) return tl::unexpected(letters.error());
      for (const DeadLetter& letter : *letters) {
        auto view = letter.View();
        if (!view) return tl::unexpected(view.error());
        cursor.dead_letters.push_back(ToFound(*view));
      }
    }
    uint64_t now_evicted = 0;  // retention works by itself, too
    for (const StreamStatus& status : journal_->Streams()) now_evicted += status.evicted;
    if (now_evicted == evicted) return found;
  }
}

void JournalDriver::Settle(const Found& found) {
  const std::lock_guard lock(mutex_);
  for (const FoundEvent& event : found.events) history_.places[event.number] = event.sequence;
  for (SentRequest& request : history_.requests) {
    if (request.outcome == SentRequest::Outcome::kAcknowledged) continue;
    bool there = false;
    bool plain = true;
    for (const SentEvent& event : request.events) {
      there = there || history_.places.contains(event.number);
      plain = plain && event.stream == "plain";
    }
    if (there) continue;
    const bool news = history_.gone.insert(request.events.front().number).second;
    for (const SentEvent& event : request.events) history_.gone.insert(event.number);
    if (news && plain) in_doubt_.push_back(request.events);
  }
  for (const auto& [name, stream] : found.streams) history_.evicted[name] = stream.evicted;
  for (Target& target : targets_) {
    const FoundCursor& cursor = found.cursors.at("target/" + target.name);
    CursorState state;
    state.next = cursor.next;
    state.account = cursor.account;
    state.ended = Tick();
    state.synced = true;
    history_.cursors["target/" + target.name] = {state};
    target.letters.clear();
    auto letters = journal_->dead_letters().List(target.name, std::nullopt, 100'000);
    if (!letters) continue;
    for (const DeadLetter& letter : *letters) target.letters.push_back(letter.id);
  }
}

}  // namespace spool::testing
