// A record's members by name, for producers that have few of them.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "ingest/json_scan.h"
#include "ingest/record.h"

namespace spool {

// Views what it is given, which must outlive it. One thread.
class RecordFields {
 public:
  enum class Case { kExact, kAny };  // of keys
  RecordFields(const RecordContext& context, const std::vector<JsonMember>& members,
               Case keys = Case::kExact)
      : context_(context), members_(members), any_case_(keys == Case::kAny) {}

  // A member of the record; nullptr if it has none of that name. Of several the first.
  const JsonMember* Find(std::string_view key) const;
  // A member of the object that is the member `section`.
  const JsonMember* Find(std::string_view section, std::string_view key) const;

  // A string's text; empty for what is not there and for what is no string.
  std::string_view Text(std::string_view key) const { return TextOf(Find(key)); }
  std::string_view Text(std::string_view section, std::string_view key) const {
    return TextOf(Find(section, key));
  }
  // The same, also of numbers and literals as they are written.
  std::string_view Scalar(std::string_view key) const { return ScalarOf(Find(key)); }
  bool Has(std::string_view key) const { return Find(key) != nullptr; }

 private:
  bool IsKey(std::string_view key, std::string_view wanted) const;
  std::string_view TextOf(const JsonMember* member) const {
    return member == nullptr ? std::string_view{} : context_.Text(*member);
  }
  std::string_view ScalarOf(const JsonMember* member) const {
    return member == nullptr ? std::string_view{} : context_.Scalar(*member);
  }

  const RecordContext& context_;
  const std::vector<JsonMember>& members_;
  const bool any_case_;
};

// The time that a text says in RFC 3339, with a space or without a zone (then it is UTC), as some
// producers write it; none for Go's zero time and for any other text.
std::optional<SystemTime> LooseTime(std::string_view text);
// Of a number: seconds, with or without a fraction, or milliseconds, of this century.
std::optional<SystemTime> EpochTime(std::string_view number);

}  // namespace spool
