// Small durable records of the rooms above (replay jobs, paused targets), kept beside the journal.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace spool {

// Any thread. Writes are synced. A key is "KIND/NAME", at most 256 bytes; a value at most 64 KiB.
class Records {
 public:
  static constexpr size_t kKeyMax = 256;
  static constexpr size_t kValueMax = size_t{64} << 10;

  virtual ~Records() = default;
  virtual Status Put(std::string_view key, std::string_view value) = 0;
  virtual Result<std::optional<std::string>> Get(std::string_view key) const = 0;
  virtual Status Remove(std::string_view key) = 0;  // also when it is not there
  // All whose key begins with `prefix`, by key.
  virtual Result<std::vector<std::pair<std::string, std::string>>> List(
      std::string_view prefix) const = 0;
};

}  // namespace spool
