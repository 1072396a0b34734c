// The journal's own records (cursors, trims, markers, dead letters …) when a table that holds some
// of them has blocks that cannot be read.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spool/rocks_store.h"

namespace spool {

// At the first key behind `after` from which reading goes on, when there are blocks in between that
// cannot be read; not Valid when that is the end. Null when nothing behind can be read.
std::unique_ptr<RocksStore::Iterator> ReadOnBehind(const RocksStore& store, FamilyId family,
                                                   std::string_view after);

class RescuedRecords {
 public:
  // Keys greater than `after` and less than `before`; the latter empty: to the end.
  struct Gap {
    std::string after;
    std::string before;
  };

  // Everything of the family that can be read, in memory. Without `keep`, of a family that is whole
  // only how many there are.
  static RescuedRecords Read(const RocksStore& store, FamilyId family, bool keep);

  uint64_t count() const { return count_; }
  const std::map<std::string, std::string, std::less<>>& records() const { return records_; }
  const std::vector<Gap>& gaps() const { return gaps_; }
  const std::string& error() const { return error_; }  // of the first gap
  bool MayMiss(std::string_view key) const;
  // True if a key that begins so may be missing.
  bool MayMissAny(std::string_view prefix) const;

  // Makes the family what was read, after the tables that could not be read whole were given up:
  // what is in them comes back, and what they had replaced or deleted goes. In the gaps stays what
  // other tables have, which may be older. kStorage.
  Status Restore(RocksStore& store, FamilyId family) const;

 private:
  uint64_t count_ = 0;
  std::map<std::string, std::string, std::less<>> records_;
  std::vector<Gap> gaps_;
  std::string error_;
};

}  // namespace spool
