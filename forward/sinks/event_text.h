// A text made from an event's attributes, such as a topic or a key, from a template like
// "events.{stream}" or "{{ .event.namespace }}/{kind}".
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spool/event.h"

namespace spool {

// Immutable; any thread.
class EventText {
 public:
  enum class Field {
    kLiteral,
    kStream,
    kCategory,
    kSubcategory,
    kSeverity,
    kProducer,
    kCluster,
    kNamespace,
    kKind,
    kName,
    kReason,
    kSubject,
    kSource,
    kType,
    kProblemKey,
    kId,
  };

  // Placeholders are the attributes' names: {stream} {category} {subcategory} {severity}
  // {producer} {cluster} {namespace} {kind} {name} {reason} {subject} {source} {type}
  // {problemkey} {id}; "{{ .event.stream }}" means the same as "{stream}". kInvalid, beginning
  // with `what`, for one that is not among `allowed` (empty: all are), for a brace without its
  // partner, and for a text of more than kTemplateMax bytes.
  static Result<EventText> Parse(std::string_view what, std::string_view text,
                                 std::span<const Field> allowed = {});

  // Into `out`, replacing it. An attribute that the event does not have is `absent`.
  void Render(const EventView& event, std::string_view absent, std::string& out) const;
  // The literal pieces, for checks on what they may hold.
  std::vector<std::string_view> Literals() const;
  bool HasPlaceholder() const;

  static constexpr size_t kTemplateMax = 512;

 private:
  struct Piece {
    Field field = Field::kLiteral;
    std::string literal;
  };
  std::vector<Piece> pieces_;
};

}  // namespace spool
