// The subject an event is published to, from a template like "spool.{stream}.{severity}".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spool/event.h"

namespace spool {

// Immutable; any thread.
class NatsSubject {
 public:
  // Placeholders: {stream} {category} {subcategory} {severity} {namespace} {kind} {producer}.
  // kInvalid for an unknown one, an empty token, white space or wildcards, a subject that begins
  // with "$" (the server's own), or one that could grow beyond the server's line.
  static Result<NatsSubject> Parse(std::string_view text);

  // Into `out`, replacing it. What a subject cannot hold becomes "_", as does an empty value;
  // values are cut at kValueMax bytes.
  void Render(const EventView& event, std::string& out) const;
  // The subjects this can make, for a stream: a token with a placeholder is "*".
  std::string Wildcard() const;

  static constexpr size_t kValueMax = 200;

 private:
  enum class Field {
    kLiteral,
    kStream,
    kCategory,
    kSubcategory,
    kSeverity,
    kNamespace,
    kKind,
    kProducer
  };
  struct Piece {
    Field field = Field::kLiteral;
    std::string literal;
  };
  std::vector<Piece> pieces_;
};

}  // namespace spool
