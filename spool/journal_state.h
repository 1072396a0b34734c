// What the parts of the journal share. Known to spool/*.cc alone.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "spool/accept_clock.h"
#include "spool/chunk.h"
#include "spool/cursor.h"
#include "spool/decoded_chunk.h"
#include "spool/journal.h"
#include "spool/journal_errors.h"
#include "spool/rocks_store.h"
#include "spool/volume.h"
#include "spool/watermark.h"

namespace spool {

// Where a stream begins: everything before is gone for good. Durable before it is believed.
struct Trim {
  Sequence sequence{1};
  uint64_t ordinal = 0;
  uint64_t bytes = 0;  // the stream's running totals at that place
  uint64_t raw_bytes = 0;
  Hash128 hash;
};

struct StreamState {
  StreamId id;
  FamilyId family;
  StreamOptions options;  // as opened; the three bounds that may change meanwhile are these. They
                          // are set together under JournalState::mutex, by which to read them all:
  std::atomic<Micros> age_max{Micros(0)};
  std::atomic<uint64_t> bytes_max{0};
  std::atomic<WhenFull> when_full{WhenFull::kReject};
  bool configured = false;
  std::atomic<bool> full{false};
  std::atomic<uint64_t> needed_bytes{0};  // of what some target still needs, as last looked at
  // Guarded by JournalState::mutex; `end` and what follows change only on the writer's thread.
  Trim trim;
  Sequence end{1};  // after the last event of this stream
  uint64_t end_ordinal = 0;
  uint64_t end_bytes = 0;  // running totals since the stream began
  uint64_t end_raw_bytes = 0;
  Hash128 last_hash;
  bool ends_lost = false;  // the last chunk is a lost one
  std::optional<SystemTime> newest;
  std::optional<SystemTime> oldest;
  Expired expired;

  void SetBounds(const StreamOptions& bounds) {
    age_max = bounds.age_max;
    bytes_max = bounds.bytes_max;
    when_full = bounds.when_full;
  }
};

struct CursorData {
  struct Place {
    StreamId stream;
    uint64_t start = 0;  // ordinal at which this cursor began with the stream
    uint64_t next = 0;
  };
  std::string name;
  bool pins = true;
  bool open = false;
  Sequence next{1};
  uint64_t retired = 0;  // settled events of streams that left the cursor
  Account account;       // accepted and pending are derived, not kept
  std::vector<Place> places;
};

struct KeptMarker {
  uint64_t number = 0;
  Marker marker;
};

struct JournalState {
  JournalOptions options;
  std::unique_ptr<AcceptClock> accept_clock;
  std::unique_ptr<Volume> volume;
  // Held over a change's sync, so that the log has none without those before it; commits of events
  // do not wait for it.
  std::mutex change_mutex;
  // Guards what follows. Taken last but for `mutex`, never held over a sync.
  mutable std::mutex mark_mutex;
  // As the watermark says; its changes are also a record, in each change. They are written under
  // both locks, so either is enough to read them.
  DurableMark durable;
  Watermark watermark;  // its Sync is the janitor's
  std::unique_ptr<RocksStore> store;
  mutable ChunkShare chunks;  // of readers
  FamilyId meta;
  FamilyId dead;
  std::vector<std::unique_ptr<StreamState>> streams;  // by StreamId
  bool created = false;
  std::atomic<bool> places_lost{false};

  mutable std::mutex mutex;
  mutable std::condition_variable_any moved;  // the end, or failure
  Sequence end{1};
  SystemTime last_accepted;
  std::map<std::string, CursorData, std::less<>> cursors;
  std::deque<KeptMarker> markers;  // rising numbers
  uint64_t next_marker = 1;
  std::atomic<bool> failed{false};
  std::optional<Error> failure;

  // Writes; a failure is final for the whole journal. What is synced is a change that the watermark
  // counts from then on, so that a log that lost it is not taken for whole.
  Status Write(StoreBatch& batch, bool sync);
  // Writes events, synced. They are missed by their sequences, once RaiseMark has told them.
  Status WriteEvents(const StoreBatch& batch);
  Status RaiseMark(Sequence end, std::vector<std::pair<std::string, uint64_t>> streams);
  void Poison(const Error& error);
  // Counts and poisons where `done` failed. No lock is held.
  Status Final(JournalOp op, Status done);
  const StreamState* ByName(std::string_view name) const;
  std::string CursorKey(std::string_view name) const { return "c/" + std::string(name); }
  std::string EncodeCursor(const CursorData& data) const;
  Account Derive(const CursorData& data) const;  // mutex held
  // The ordinal of the first event of the stream at or after `sequence`.
  Result<uint64_t> OrdinalAt(const StreamState& stream, Sequence sequence) const;
  // Adds to the batch and to `markers`; mutex held. What retention does all day becomes one marker
  // a stream and day. Of each class the oldest beyond kMarkersMax goes; markers that tell of events
  // some target never had are a class of their own, which routine cannot push out.
  void AddMarker(StoreBatch& batch, Marker marker);
};

std::string EncodeTrim(const Trim& trim);
Result<Trim> DecodeTrim(std::string_view bytes);
Result<CursorData> DecodeCursor(const JournalState& state, std::string name,
                                std::string_view bytes);
std::string EncodeMarker(const Marker& marker);
Result<Marker> DecodeMarker(std::string_view bytes);
std::string EncodeDeadLetter(const DeadLetter& letter);
Result<DeadLetter> DecodeDeadLetter(std::string_view bytes);
inline constexpr size_t kMarkersMax = 1000;
inline std::string RecordKey(std::string_view key) { return "r/" + std::string(key); }
inline std::string SpecialKey(std::string_view stream) { return "s/" + std::string(stream); }

std::unique_ptr<Reader> MakeReader(const JournalState& state, StreamSet streams);
class DeadLetterWriter;
std::unique_ptr<Cursor> MakeCursor(JournalState& state, CursorData& data, DeadLetterWriter& dead);
Result<std::unique_ptr<DeadLetters>> OpenDeadLetters(JournalState& state);
// Writes the totals where they had to be counted.
Status KeepDeadLetterTotals(DeadLetters& letters);
std::unique_ptr<Records> MakeRecords(JournalState& state);

// Dead letters in the same batch as the cursor that passes them.
class DeadLetterWriter {
 public:
  virtual ~DeadLetterWriter() = default;
  // Held while a batch is filled and written, so that totals follow each other and no wish for a
  // retry writes a gone letter back.
  virtual std::unique_lock<std::mutex> Exclusive() = 0;
  // REQUIRES, these three: Exclusive is held. Nothing counts before Written, called after the
  // write.
  virtual void AddTo(StoreBatch& batch, const std::vector<DeadLetter>& letters) = 0;
  virtual Result<DeadLetter> RemoveFrom(StoreBatch& batch, const DeadLetterId& id) = 0;
  virtual void Written() = 0;
};
DeadLetterWriter& WriterOf(DeadLetters& letters);

}  // namespace spool
