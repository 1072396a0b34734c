// A request's JSON object, strictly read.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spool/sequence.h"

namespace spool {

// Immutable; any thread.
class RequestBody {
 public:
  // An empty text is an empty object. kInvalid for what is not one JSON object, for members that
  // are not in `known`, and for a member that is there twice.
  static Result<RequestBody> Parse(std::string_view text,
                                   std::initializer_list<std::string_view> known);

  // Absent and null read as nothing; another type is kInvalid naming the member.
  Result<std::optional<std::string>> Text(std::string_view key) const;
  Result<std::optional<double>> Number(std::string_view key) const;
  Result<bool> Flag(std::string_view key) const;                       // absent: false
  Result<std::vector<std::string>> Texts(std::string_view key) const;  // absent: empty
  // A whole number, or a text of digits.
  std::optional<Sequence> SequenceOf(std::string_view key) const;

 private:
  struct Tree;
  explicit RequestBody(std::shared_ptr<const Tree> tree) : tree_(std::move(tree)) {}
  std::shared_ptr<const Tree> tree_;
};

// "4118871"; empty for anything but 1 to 20 digits that fit.
std::optional<Sequence> ParseSequence(std::string_view text);

}  // namespace spool
