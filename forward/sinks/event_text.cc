#include "forward/sinks/event_text.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace spool {
namespace {

using Field = EventText::Field;

constexpr std::array<std::pair<std::string_view, Field>, 15> kNames = {{
    {"stream", Field::kStream},
    {"category", Field::kCategory},
    {"subcategory", Field::kSubcategory},
    {"severity", Field::kSeverity},
    {"producer", Field::kProducer},
    {"cluster", Field::kCluster},
    {"namespace", Field::kNamespace},
    {"kind", Field::kKind},
    {"name", Field::kName},
    {"reason", Field::kReason},
    {"subject", Field::kSubject},
    {"source", Field::kSource},
    {"type", Field::kType},
    {"problemkey", Field::kProblemKey},
    {"id", Field::kId},
}};

std::string_view Trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// Takes one placeholder from the front of `text`; empty when its braces do not close.
std::optional<std::string_view> TakeName(std::string_view& text) {
  const bool two = text.starts_with("{{");
  const std::string_view end = two ? "}}" : "}";
  const size_t close = text.find(end);
  if (close == std::string_view::npos) return std::nullopt;
  std::string_view name = Trim(text.substr(end.size(), close - end.size()));
  text.remove_prefix(close + end.size());
  constexpr std::string_view kEnvelope = ".event.";
  // Without ".event." it would be a field of the data, which is not looked at here.
  if (two && !name.starts_with(kEnvelope)) return std::string_view("?");
  if (two) name.remove_prefix(kEnvelope.size());
  return name;
}

std::string Listing(std::span<const Field> allowed) {
  std::string out;
  for (const auto& [name, field] : kNames) {
    if (!allowed.empty() && std::ranges::find(allowed, field) == allowed.end()) continue;
    out += out.empty() ? "{" : " {";
    out += name;
    out += '}';
  }
  return out;
}

void AppendHex(const Hash128& hash, std::string_view absent, std::string& out) {
  if (hash == Hash128{}) {
    out += absent;
  } else {
    out += hash.Hex();
  }
}

}  // namespace

Result<EventText> EventText::Parse(std::string_view what, std::string_view text,
                                   std::span<const Field> allowed) {
  const auto bad = [&](const std::string& why) {
    return Fail(Code::kInvalid, std::string(what) + ' ' + why);
  };
  if (text.size() > kTemplateMax) return bad("is too long");
  EventText made;
  while (!text.empty()) {
    if (text[0] == '{') {
      const auto name = TakeName(text);
      if (!name) return bad("has a { without }");
      const auto known = std::ranges::find(kNames, *name, [](const auto& n) { return n.first; });
      if (known == kNames.end() ||
          (!allowed.empty() && std::ranges::find(allowed, known->second) == allowed.end())) {
        return bad("has a placeholder that is none of " + Listing(allowed));
      }
      made.pieces_.push_back({known->second, {}});
      continue;
    }
    const std::string_view literal = text.substr(0, text.find('{'));
    if (literal.find('}') != std::string_view::npos) return bad("has a } without {");
    made.pieces_.push_back({Field::kLiteral, std::string(literal)});
    text.remove_prefix(literal.size());
  }
  return made;
}

void EventText::Render(const EventView& event, std::string_view absent, std::string& out) const {
  out.clear();
  for (const Piece& piece : pieces_) {
    std::string_view value;
    switch (piece.field) {
      case Field::kLiteral: out += piece.literal; continue;
      case Field::kProblemKey: AppendHex(event.problem_key, absent, out); continue;
      case Field::kId: AppendHex(event.id, absent, out); continue;
      case Field::kStream: value = event.stream; break;
      case Field::kCategory: value = event.category; break;
      case Field::kSubcategory: value = event.subcategory; break;
      case Field::kSeverity: value = SeverityName(event.severity); break;
      case Field::kProducer: value = event.producer; break;
      case Field::kCluster: value = event.cluster; break;
      case Field::kNamespace: value = event.namespace_; break;
      case Field::kKind: value = event.kind; break;
      case Field::kName: value = event.name; break;
      case Field::kReason: value = event.reason; break;
      case Field::kSubject: value = event.subject; break;
      case Field::kSource: value = event.source; break;
      case Field::kType: value = event.type; break;
    }
    out += value.empty() ? absent : value;
  }
}

std::vector<std::string_view> EventText::Literals() const {
  std::vector<std::string_view> out;
  for (const Piece& piece : pieces_) {
    if (piece.field == Field::kLiteral) out.push_back(piece.literal);
  }
  return out;
}

bool EventText::HasPlaceholder() const {
  return std::ranges::any_of(pieces_, [](const Piece& p) { return p.field != Field::kLiteral; });
}

}  // namespace spool
