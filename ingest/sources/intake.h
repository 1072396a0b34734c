// What every source that fetches shares: from what was fetched to what is durable, with an account.
//
// An Intake is one source's: its counters, its state, whether it may take anything now. An
// IntakeLane is one thread's way into the journal: batches go in one after the other, each only
// when the one before it is durable, so that the records of a later one (where to go on) are never
// there without the events of an earlier one. While one is being stored the next is decoded. A
// batch that the journal does not take now is tried again until it does: nothing is dropped, the
// source waits.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ingest/decode.h"
#include "ingest/source.h"
#include "spool/journal.h"
#include "spool/source_gaps.h"

namespace spool {

struct IntakeOptions {
  std::string name;  // as configured; the origin of its events
  std::string type;
  std::string address;    // for its status
  DecodeOptions decode;   // `stream` and `redaction` may be empty, as in HttpSourceOptions
  Classifier classifier;  // the operator's own rules; may be empty
  bool mutated_is_admission = true;
  const Clock* clock = &RealClock();
  // Where gaps are recorded; may be null, then they are only logged.
  SourceGaps* gaps = nullptr;
  // Called once, from the source's thread, when nothing can come any more and all is durable; must
  // not block; may be empty.
  std::function<void()> on_end = {};
};

// One body: lines of a file, one message of a bus.
struct Fetched {
  std::string body;
  std::string content_type;
  std::string key;  // that names it, for records without an id or time of their own; may be empty
  std::vector<std::pair<std::string, std::string>> headers;  // in lower case
  // When it is not to be looked at: the reason and a sentence that go to quarantine with `body`.
  std::string unfit, unfit_detail;
};

// What was fetched in one go.
struct Batch {
  std::vector<Fetched> bodies;      // may be empty: then only `records` are stored
  std::string path = "/v1/events";  // whose they are, as a path of HTTP sources
  size_t bytes = 0;                 // that were fetched, for the account; 0: the bodies'
  std::vector<RecordPut> records;   // stored with the events, in the same batch
  std::function<void()> stored;     // called on the lane's thread once all is durable; may be empty

  size_t BodyBytes() const {
    size_t sum = 0;
    for (const Fetched& one : bodies) sum += one.body.size();
    return sum;
  }
};

class Intake {
 public:
  // At most in one batch. A source cuts before that; what it cannot cut may be larger.
  static constexpr size_t kBodyBytes = size_t{2} << 20;
  static constexpr size_t kBodyRecords = 16'384;
  // The memory that one batch's events may need; beyond it the batch is halved.
  static constexpr size_t kEventBytesMax = size_t{48} << 20;

  // `journal` must outlive it.
  Intake(IntakeOptions options, Journal& journal);
  ~Intake();
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  const IntakeOptions& options() const;
  Journal& journal() const;
  const Clock& clock() const { return *options().clock; }

  // The source's own, passed on.
  void Open();
  bool Close(SteadyTime deadline);
  void Use(Classifier classifier, bool mutated_is_admission);
  SourceStatus status() const;
  const RedactionCounters& redacted() const;
  void SetAddress(std::string address);

  // From now on it is stopping: what is in the journal's hands is waited for until `deadline`.
  void Stopping(SteadyTime deadline);

  // Until it may take something. False: it is to stop.
  bool WaitOpen(std::stop_token stop);
  // Until `time` has passed, it is to stop or Wake is called. False: it is to stop.
  bool Wait(Micros time, std::stop_token stop);
  void Wake();

  // What keeps it from fetching; logged when it begins, and now and then. Works ends it.
  void Failed(const std::string& why);
  void Works();
  // One thing went wrong, and it goes on.
  void Trouble(const std::string& why);
  void Ended();  // nothing can come any more
  void SetBehind(std::optional<uint64_t> bytes, std::optional<uint64_t> messages);

  // Something may have been missed between `from` and `to`: recorded, and logged.
  void Gap(std::string_view cause, SystemTime from, SystemTime to, const std::string& what);

 private:
  friend class IntakeLane;
  struct State;
  const std::shared_ptr<State> state_;  // shared with what is in the journal's hands
};

// One thread. The intake must outlive it.
class IntakeLane {
 public:
  explicit IntakeLane(Intake& intake);
  ~IntakeLane();
  IntakeLane(const IntakeLane&) = delete;
  IntakeLane& operator=(const IntakeLane&) = delete;

  // Hands it to the journal once what was put before is durable. False: it is to stop, and nothing
  // of this batch was or will be stored.
  bool Put(Batch batch, const std::stop_token& stop);
  // Until all that was put is durable. False: it is to stop, and what was put last may or may not
  // be stored.
  bool Flush(const std::stop_token& stop);
  // The same at the end: waits for what is in the journal's hands until the time given to
  // Intake::Stopping, and tries nothing again. True: all is durable.
  bool Finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace spool
