// The query of a request, strictly read: a parameter that nobody knows is an error, because a
// filter that is silently ignored shows wrong answers.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace spool {

// Immutable; any thread.
class QueryParams {
 public:
  // kInvalid for a malformed escape, or for more than 64 parameters.
  static Result<QueryParams> Parse(std::string_view raw);

  // kInvalid naming the first parameter that is not in `known`, or that is there twice and not in
  // `repeatable`.
  Status Check(std::initializer_list<std::string_view> known,
               std::initializer_list<std::string_view> repeatable = {}) const;

  bool Has(std::string_view name) const;
  std::string Get(std::string_view name) const;  // the first; empty if absent
  std::vector<std::string> All(std::string_view name) const;
  // An integer of [min, max]; absent: nothing. kInvalid naming the parameter.
  Result<std::optional<uint64_t>> Number(std::string_view name, uint64_t min, uint64_t max) const;
  // As ParseWhen.
  Result<std::optional<SystemTime>> Time(std::string_view name, SystemTime now) const;

 private:
  std::vector<std::pair<std::string, std::string>> params_;
};

}  // namespace spool
