// The journal: named streams of events under one dense sequence, durable before they are visible.
//
// One RocksDB holds chunks of events (a column family a stream), the cursors of the targets, dead
// letters, markers and small records. See README.md in this folder for the format.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "spool/event.h"
#include "spool/sequence.h"
#include "spool/store_status.h"

namespace rocksdb {
class Env;
}

namespace spool {

class Cursor;
class DeadLetters;
class Reader;
class Records;

enum class WhenFull { kReject, kDropOldest };

struct StreamOptions {
  std::string name;        // [a-z0-9-]{1,63}
  Micros age_max{0};       // 0: no limit
  uint64_t bytes_max = 0;  // on disk, compressed; 0: no limit
  WhenFull when_full = WhenFull::kReject;
  bool special = false;  // readers get it only by naming it (quarantine, audit)
};

struct JournalOptions {
  std::string dir;  // created if missing, mode 0700
  std::vector<StreamOptions>
      streams;                // 1 to kStreamsMax - 1; those on disk but not here stay readable
  int compression_level = 1;  // zstd, 1 to 9
  // A request of at least as many bytes gets chunks of its own, made by the thread that appends it,
  // when the packer has another in hand.
  size_t caller_packs_bytes = size_t{256} << 10;
  Micros dedupe_window = std::chrono::minutes(10);
  size_t dedupe_entries = 1'000'000;
  // New events are refused (kFull) while the volume has less free than this, and those of streams
  // that drop their oldest while it has less than half of this; reads, cursors and dead letters go
  // on. From a quarter more on settled events give way, the oldest over all streams first. A file
  // of reserve_file_bytes is kept aside and freed when opening a full volume. 0 turns either off.
  uint64_t disk_reserve_bytes = uint64_t{2} << 30;
  uint64_t reserve_file_bytes = uint64_t{64} << 20;
  // Dead letters of one target beyond which it gets no more: its forwarder holds instead.
  uint64_t dead_letters_max = 1'000'000;
  uint64_t dead_letter_bytes_max = uint64_t{1} << 30;
  // How fast the background scrub reads; 0: not at all. The first pass begins ten minutes after the
  // start.
  uint64_t scrub_bytes_per_second = uint64_t{4} << 20;
  int open_tables_max = 256;  // files of the database that are kept open
  const Clock* clock = &RealClock();
  // For tests: where RocksDB's files live. Not owned; must outlive the journal.
  rocksdb::Env* env = nullptr;
  // Called once, from any thread, after a write or sync failed: what is on disk is unknown, every
  // later Append fails with kStorage, and the process must end.
  std::function<void(const Error&)> on_fatal = [](const Error&) {};
};

// What the background scrub found in its last whole pass.
struct ScrubStatus {
  uint64_t passes = 0;  // since the start
  std::optional<SystemTime> finished;
  uint64_t bytes = 0;
  uint64_t damaged = 0;     // places
  std::string last_damage;  // a sentence with stream, sequence and file
};

// What one stream got of a request. Its stored events are dense from `first`, which is 0 when there
// is none.
struct AppendedPart {
  StreamId stream;
  Sequence first;
  uint32_t stored = 0;
  uint32_t duplicates = 0;
};
struct AppendResult {
  Sequence first;  // lowest and highest sequence given to this request's events;
  Sequence last;   //   both 0 when nothing was stored
  uint32_t stored = 0;
  uint32_t duplicates = 0;               // repeats inside the dedupe horizon, not stored again
  std::vector<AppendedPart> parts = {};  // one for each stream of its events; they add up to that
};
// A record (see Journal::records) that is written with a request's events, in the same batch: where
// whoever brought them goes on after them. As much may be in it as Records::Put takes.
struct RecordPut {
  std::string key;
  std::string value;
};
// Called once, on the committer's thread: must not block or call back into the journal.
using AppendDone = std::function<void(Result<AppendResult>)>;

// Events that retention removed since the start, by why.
struct Expired {
  enum Cause : size_t { kAge, kSize, kDisk, kCauses };
  static constexpr std::array<std::string_view, kCauses> kNames{"age", "size", "disk"};
  std::array<uint64_t, kCauses> delivered{};    // every target had had them
  std::array<uint64_t, kCauses> undelivered{};  // some target had not
};

struct StreamStatus {
  std::string name;
  StreamId id;
  bool special = false;
  bool configured = true;
  bool full = false;                 // new events of this stream are refused now
  uint64_t events = 0;               // retained
  uint64_t bytes = 0;                // on disk, compressed
  uint64_t needed_bytes = 0;         // of these, what some target still needs, to about a second
  uint64_t raw_bytes = 0;            // before compression
  std::optional<SystemTime> oldest;  // accept times of the first and last retained event
  std::optional<SystemTime> newest;
  Sequence first;        // of the first retained event; end of the stream if none
  uint64_t evicted = 0;  // ever removed by retention
  Sequence end;          // after the last event that was ever in it
  Expired expired;
  Micros age_max{0};
  uint64_t bytes_max = 0;
  WhenFull when_full = WhenFull::kReject;
};

struct CursorStatus;

// Why a range is not there any more: the newest 1,000 of each kind, those with undelivered events
// counted apart. Evictions of one stream, cause and day that follow each other are one marker.
struct Marker {
  enum class Kind : uint8_t { kEvicted = 0, kSkipped = 1, kLost = 2 };
  Kind kind = Kind::kEvicted;
  std::string subject;  // the stream (evicted, lost) or the target (skipped)
  SequenceRange range;
  uint64_t events = 0;
  uint64_t undelivered = 0;  // of these, not yet settled by some cursor that wanted them
  uint64_t bytes = 0;
  std::string cause;  // "age", "size", "disk", "operator"
  SystemTime time;
};

struct DiskStatus {
  uint64_t used_bytes = 0;  // by the journal
  uint64_t free_bytes = 0;  // on its volume
  uint64_t capacity_bytes = 0;
  bool below_reserve = false;  // new events are refused, or old ones dropped
  // Until then: what is free above the reserve, and what every target has had.
  uint64_t room_bytes = 0;
  std::optional<Micros> full_in;  // if it goes on as in the last minutes; nothing: it does not fill
  bool alarm = false;             // that is soon, or little room is left
};

// Any thread, unless a method says otherwise. A failed sync refuses every later Append.
class Journal {
 public:
  // Opens or creates. kConflict if another process has it; kDamaged if what is there fails its
  // checks or is not all there (no event, cursor or marker is changed then); kStorage if the volume
  // refuses; kInvalid for bad options or a format of another version (nothing is touched then).
  static Result<std::unique_ptr<Journal>> Open(JournalOptions options);

  // Refuses new appends, finishes what is queued, syncs, closes. Every Cursor, Reader and other
  // object made by this journal must be gone.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Takes all of `events` or none. `origin` is the configured source's name; repeats of
  // (origin, id) inside the horizon are counted, not stored. `done` is always called: with
  // success only after the events are synced; kFull when a stream named here or the disk is
  // full; kBusy when the queue's byte bound is reached; kStorage after a failure.
  // An empty `events` succeeds once everything queued before it is durable.
  void Append(std::vector<Event> events, std::string_view origin, AppendDone done);
  // The same; with success `records` are durable as well, also when all events are repeats or there
  // are none, and with an error none is (after kStorage: all of it or nothing, and it is not
  // known). Of two requests the one appended later has the last word. kInvalid also for a record
  // that is too long.
  void Append(std::vector<Event> events, std::string_view origin, std::vector<RecordPut> records,
              AppendDone done);
  // The same as the first, waiting. Not on the committer's thread.
  Result<AppendResult> AppendAndWait(std::vector<Event> events, std::string_view origin);

  // A fresh reader over `streams`. Use from one thread at a time; must not outlive the journal.
  std::unique_ptr<Reader> NewReader(StreamSet streams) const;

  // Waits until an event at or after `from` is readable, at most `timeout`. False on timeout or
  // stop.
  bool WaitFor(Sequence from, Millis timeout, std::stop_token stop) const;

  // The first sequence accepted at or after `t`; end() if there is none. O(log n).
  Result<Sequence> Find(SystemTime accepted_at) const;

  // [first retained of any stream, end).
  SequenceRange stored() const;
  // The next sequence to be given; all below it is durable.
  Sequence end() const;

  std::optional<StreamId> FindStream(std::string_view name) const;
  const std::string& StreamName(StreamId id) const;
  StreamSet AllStreams() const;  // without the special ones
  StreamSet AllWithSpecial() const;

  struct CursorOptions {
    std::string name;  // "target/NAME" or "replay/ID"
    StreamSet streams;
    Sequence start;    // used only when the cursor does not exist yet
    bool pins = true;  // unsettled events of `streams` are kept by retention
  };
  // Opens the cursor of that name or creates it (synced). The set of streams may differ from the
  // last time: new ones begin at the cursor's place, gone ones leave the account. kConflict if
  // it is open already; kInvalid when `start` lies beyond the end.
  Result<std::unique_ptr<Cursor>> OpenCursor(const CursorOptions& options);
  // Removes a cursor that is not open. kNotFound, kConflict.
  Status RemoveCursor(std::string_view name);
  // Every cursor on disk, open or not, by name.
  std::vector<CursorStatus> Cursors() const;

  DeadLetters& dead_letters();
  Records& records();

  std::vector<StreamStatus> Streams() const;
  DiskStatus Disk() const;
  std::vector<Marker> Markers() const;
  // True after the first start that made this directory, until closed.
  bool created() const;
  // True when a repair may have lost cursors: who has none begins at the first event that is
  // stored, since late and twice is better than never. Until PlacesAreTaken, which is durable.
  bool places_lost() const;
  Status PlacesAreTaken();
  // Now, for ages: a wall clock that jumps does not make anything old.
  SystemTime AgeNow() const;
  // How far a wall clock that has jumped, and is not followed, is from accept time; otherwise 0.
  Micros ClockOffset() const;
  // False after a storage error.
  bool healthy() const;

  struct Counters {
    uint64_t commits = 0;
    uint64_t commit_events = 0;
    uint64_t duplicates = 0;
    uint64_t raw_bytes = 0;
    uint64_t stored_bytes = 0;
    uint64_t queued_bytes = 0;
    Histogram::Snapshot commit_seconds;  // packing to published
    Histogram::Snapshot sync_seconds;    // of that, inside the synced write
    Histogram::Snapshot commit_sizes;    // in events
  };
  Counters counters() const;

  StoreStatus Store() const;

  // A copy as of now in `dir`, which must not exist: start a spoold on it to restore. Every event
  // below the sequence given back is in it. Table files are linked when `dir` is on the same
  // volume. kConflict when `dir` exists, or `dir`.partial, under which it is made; kStorage.
  // `beside` is given the directory before it gets its name, to put there what belongs to a copy;
  // its error is the snapshot's.
  Result<Sequence> Snapshot(const std::string& dir,
                            const std::function<Status(const std::string& dir)>& beside = {}) const;

  ScrubStatus Scrub() const;
  // One whole pass now, at full speed. kDamaged or kStorage when the database cannot be read; what
  // is wrong with chunks is in Scrub().
  Status RunScrub();

  // Age, size and what happens when full of streams that were opened with the journal, by name:
  // they count from the next append and the next pass of retention on. kNotFound for a stream that
  // was not among its options, then nothing is changed.
  Status SetBounds(const std::vector<StreamOptions>& streams);

  // One pass of retention now, as the janitor's thread does once a second.
  Status RunRetention();

 private:
  class Impl;
  explicit Journal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace spool
