// Times in which a source took nothing: what its producers had to say then is not in the journal
// unless they said it again. Kept beside the journal, so that somebody who misses events months
// later can tell whether anybody could have taken them.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace spool {

class Records;

struct SourceGap {
  uint64_t number = 0;           // rising, given by SourceGaps
  std::string source;            // as configured
  std::string cause;             // one word of a closed set, which whoever records it names
  SystemTime from;               // until here it is known to have taken events
  std::optional<SystemTime> to;  // from here on it took them again; nothing: not yet
};

// Any thread. Every change is synced. The newest kGapsMax of each source are kept; one that is open
// is kept in any case.
class SourceGaps {
 public:
  static constexpr size_t kGapsMax = 500;

  // Reads what is recorded. A record that cannot be read is left out, and logged. `records` must
  // outlive it. Errors are the journal's.
  static Result<std::unique_ptr<SourceGaps>> Load(Records& records);

  // `source` takes nothing from `from` on; does nothing while it has an open gap. `source` and
  // `cause` have at most 128 bytes.
  Status Begin(std::string_view source, std::string_view cause, SystemTime from);
  // Ends the source's open gap; does nothing without one. Never before its beginning.
  Status End(std::string_view source, SystemTime to);
  // The source takes events at this moment. It ends no gap.
  Status Taking(std::string_view source, SystemTime now);
  // The last such moment; nothing for a source that never took any.
  std::optional<SystemTime> LastTaking(std::string_view source) const;

  std::optional<SourceGap> OpenGap(std::string_view source) const;
  std::vector<SourceGap> List() const;  // by number
  // How many began since this object was made, by source and cause.
  std::map<std::pair<std::string, std::string>, uint64_t> Counts() const;

 private:
  explicit SourceGaps(Records& records) : records_(records) {}
  Status Keep(const SourceGap& gap);           // mutex_ held
  SourceGap* OpenOf(std::string_view source);  // mutex_ held

  Records& records_;
  mutable std::mutex mutex_;  // guards what follows
  uint64_t next_ = 1;
  std::vector<SourceGap> gaps_;  // by number
  std::map<std::string, SystemTime, std::less<>> taking_;
  std::map<std::pair<std::string, std::string>, uint64_t> counts_;
};

// As it is recorded. Nothing for bytes that are no gap.
std::string EncodeSourceGap(const SourceGap& gap);
std::optional<SourceGap> DecodeSourceGap(std::string_view bytes);

}  // namespace spool
