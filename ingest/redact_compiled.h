// What an operator added to the rules, compiled. No library's header is visible here.
#pragma once

#include <bitset>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/redact_text.h"
#include "ingest/redaction.h"

namespace spool {

// One step of a path: a member's name, any one member or element (*), or any number of them (**).
struct PathStep {
  std::string name;
  enum class Kind { kName, kAny, kDeep } kind = Kind::kName;
  bool last = false;
};

// Where in all paths a value is: a bit for each step that its members may take.
using PathPlaces = std::bitset<kRedactionPathStepsMax>;

struct Redaction::Compiled {
  Compiled();
  ~Compiled();

  bool has_names() const;
  bool has_patterns() const;
  bool IsSecretName(std::string_view name) const;
  void FindPatterns(std::string_view text, std::vector<TextSpan>* out) const;

  // Steps into the member `name`; true when a path ends there.
  bool Step(const PathPlaces& at, std::string_view name, PathPlaces* next) const;
  // Into an element of an array, which a path may name (*) or pass over.
  bool StepElement(const PathPlaces& at, PathPlaces* next) const;
  // Whether a text could have a member that a path ends at.
  bool MayHavePath(std::string_view text) const;

  std::vector<PathStep> steps;
  PathPlaces begin;
  // Of each path a name that is in it; one without makes every text worth a walk.
  std::vector<std::string> needed;
  bool any_text = false;

  void Enter(size_t step, PathPlaces* places) const;
  struct Expressions;
  std::unique_ptr<Expressions> expressions;
};

}  // namespace spool
