#include "forward/sinks/nats_subject.h"

#include <array>
#include <optional>
#include <utility>

namespace spool {
namespace {

constexpr size_t kTemplateMax = 512;
constexpr size_t kPlaceholdersMax =
    8;  // 8 · kValueMax + kTemplateMax fits in a server's 4 KiB line

bool FitsToken(char c) { return c > 0x20 && c < 0x7f && c != '.' && c != '*' && c != '>'; }

}  // namespace

Result<NatsSubject> NatsSubject::Parse(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, Field>, 7> kNames = {{
      {"stream", Field::kStream},
      {"category", Field::kCategory},
      {"subcategory", Field::kSubcategory},
      {"severity", Field::kSeverity},
      {"namespace", Field::kNamespace},
      {"kind", Field::kKind},
      {"producer", Field::kProducer},
  }};
  if (text.empty()) return Fail(Code::kInvalid, "subject is empty");
  if (text.size() > kTemplateMax) return Fail(Code::kInvalid, "subject is too long");
  if (text[0] == '$') return Fail(Code::kInvalid, "subject begins with $, which is the server's");
  if (text.front() == '.' || text.back() == '.' || text.find("..") != std::string_view::npos) {
    return Fail(Code::kInvalid, "subject has an empty token");
  }
  NatsSubject subject;
  size_t placeholders = 0;
  while (!text.empty()) {
    if (text[0] == '{') {
      const size_t close = text.find('}');
      if (close == std::string_view::npos) {
        return Fail(Code::kInvalid, "subject has a { without }");
      }
      const std::string_view name = text.substr(1, close - 1);
      std::optional<Field> field;
      for (const auto& [known, value] : kNames) {
        if (known == name) field = value;
      }
      if (!field) {
        return Fail(Code::kInvalid,
                    "subject has the unknown placeholder {" + std::string(name) +
                        "}; there are {stream} {category} {subcategory} {severity} {namespace} "
                        "{kind} {producer}");
      }
      if (++placeholders > kPlaceholdersMax) {
        return Fail(Code::kInvalid, "subject has more than 8 placeholders");
      }
      subject.pieces_.push_back({*field, {}});
      text.remove_prefix(close + 1);
      continue;
    }
    const std::string_view literal = text.substr(0, text.find('{'));
    for (const char c : literal) {
      if (c != '.' && (!FitsToken(c) || c == '}')) {
        return Fail(Code::kInvalid,
                    "subject has a character that a subject to publish to cannot hold");
      }
    }
    subject.pieces_.push_back({Field::kLiteral, std::string(literal)});
    text.remove_prefix(literal.size());
  }
  return subject;
}

void NatsSubject::Render(const EventView& event, std::string& out) const {
  out.clear();
  for (const Piece& piece : pieces_) {
    std::string_view value;
    switch (piece.field) {
      case Field::kLiteral: out += piece.literal; continue;
      case Field::kStream: value = event.stream; break;
      case Field::kCategory: value = event.category; break;
      case Field::kSubcategory: value = event.subcategory; break;
      case Field::kSeverity: value = SeverityName(event.severity); break;
      case Field::kNamespace: value = event.namespace_; break;
      case Field::kKind: value = event.kind; break;
      case Field::kProducer: value = event.producer; break;
    }
    if (value.empty()) value = "_";
    for (const char c : value.substr(0, kValueMax)) out += FitsToken(c) && c != '$' ? c : '_';
  }
}

std::string NatsSubject::Wildcard() const {
  std::string out;
  std::string token;
  bool variable = false;
  const auto end_token = [&] {
    out += variable ? "*" : token;
    token.clear();
    variable = false;
  };
  for (const Piece& piece : pieces_) {
    if (piece.field != Field::kLiteral) {
      variable = true;
      continue;
    }
    for (const char c : piece.literal) {
      if (c == '.') {
        end_token();
        out += '.';
      } else {
        token += c;
      }
    }
  }
  end_token();
  return out;
}

}  // namespace spool
