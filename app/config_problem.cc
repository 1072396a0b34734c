// Problems of a configuration: where they are, and how a person sees them.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "app/config_file.h"

namespace spool {
namespace {

constexpr int kExcerptMax = 160;  // characters of a source line
constexpr int kExcerptBefore = 60;

bool IsCharacterStart(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

// Replaces what a terminal cannot show: bytes that are no UTF-8 text.
std::string Printable(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const size_t size = byte < 0x80    ? 1
                        : byte >= 0xf0 ? 4
                        : byte >= 0xe0 ? 3
                        : byte >= 0xc2 ? 2
                                       : 0;
    bool good = size != 0 && i + size <= text.size();
    for (size_t k = 1; good && k < size; ++k) good = !IsCharacterStart(text[i + k]);
    if (good && size == 1 && (byte < 0x20 || byte == 0x7f)) good = false;
    out += good ? text.substr(i, size) : std::string_view("?");
    i += good ? size : 1;
  }
  return out;
}

auto Order(const ConfigProblem& p) { return std::tie(p.file, p.line, p.column, p.message); }

}  // namespace

void ConfigProblems::Keep(std::vector<Kept>& list, const Place& place, const std::string& file,
                          const std::string& message, const std::string& hint) {
  Kept kept{place, {}};
  kept.problem.file = place.file == nullptr ? file : place.file->name;
  kept.problem.line = place.line;
  kept.problem.column = place.column;
  kept.problem.message = Printable(message);
  kept.problem.hint = Printable(hint);
  for (const Kept& old : list) {
    if (Order(old.problem) == Order(kept.problem)) return;
  }
  if (list.size() >= kMax) {
    ++dropped_;
    return;
  }
  list.push_back(std::move(kept));
}

void ConfigProblems::Add(const Place& place, const std::string& message, const std::string& hint) {
  Keep(problems_, place, {}, message, hint);
}

void ConfigProblems::Warn(const Place& place, const std::string& message, const std::string& hint) {
  Keep(warnings_, place, {}, message, hint);
}

void ConfigProblems::AddFile(const std::string& file, const std::string& message,
                             const std::string& hint) {
  Keep(problems_, Place{}, file, message, hint);
}

void ConfigProblems::Hide(const YamlNode& value) {
  if (value.start.file == nullptr || value.kind == YamlNode::Kind::kNull) return;
  hidden_.push_back({value.start.file.get(), value.start.line, value.start.column, value.end_line,
                     value.end_column});
}

// The source line as far as it helps, fit for a terminal, and where in it the caret goes.
void ConfigProblems::Quote(Kept& kept) const {
  constexpr size_t kHiddenMax = 1000;
  const ConfigText* file = kept.place.file.get();
  if (file == nullptr || hidden_.size() > kHiddenMax) return;
  const auto is_hidden = [&](int column) {
    const std::pair at(kept.place.line, column);
    return std::any_of(hidden_.begin(), hidden_.end(), [&](const Hidden& h) {
      return h.file == file && at >= std::pair(h.first_line, h.first_column) &&
             at < std::pair(h.end_line, h.end_column);
    });
  };
  const std::string_view line = file->Line(kept.place.line);
  const auto length = std::count_if(line.begin(), line.end(), IsCharacterStart);
  const int first = length <= kExcerptMax ? 1 : std::max(1, kept.place.column - kExcerptBefore);
  std::string shown;
  int column = 0;
  bool hidden = false;
  for (const char c : line) {
    if (IsCharacterStart(c)) {
      ++column;
      if (column >= first + kExcerptMax) break;
      hidden = column >= first && is_hidden(column);
      if (hidden) shown += '*';
    }
    if (column >= first && !hidden) shown += c == '\t' ? ' ' : c;
  }
  kept.problem.source_line = Printable(shown);
  if (!shown.empty() && kept.place.column > 0) kept.problem.caret = kept.place.column - first + 1;
}

std::vector<ConfigProblem> ConfigProblems::Finish(std::vector<Kept>& list) const {
  std::stable_sort(list.begin(), list.end(), [](const Kept& a, const Kept& b) {
    return Order(a.problem) < Order(b.problem);
  });
  std::vector<ConfigProblem> out;
  for (Kept& kept : list) {
    Quote(kept);
    out.push_back(std::move(kept.problem));
  }
  list.clear();
  return out;
}

void ConfigProblems::MoveTo(ConfigResult& result) {
  result.problems = Finish(problems_);
  result.warnings = Finish(warnings_);
  for (ConfigProblem& warning : result.warnings) warning.warning = true;
  if (dropped_ > 0 && !result.problems.empty()) {
    ConfigProblem more;
    more.file = result.problems.back().file;
    more.message = fmt::format("and {} more problems that are not shown", dropped_);
    result.problems.push_back(std::move(more));
  }
}

std::string FormatPlace(const ConfigProblem& problem) {
  std::string out = problem.file.empty() ? std::string("config") : problem.file;
  if (problem.line > 0) out += fmt::format(":{}:{}", problem.line, std::max(problem.column, 1));
  out += problem.warning ? ": warning: " : ": error: ";
  return out + problem.message;
}

std::string FormatProblem(const ConfigProblem& problem) {
  std::string out = FormatPlace(problem) + "\n";
  if (!problem.source_line.empty() && problem.line > 0) {
    const std::string number = fmt::format("{:>5}", problem.line);
    out += number + " | " + problem.source_line + "\n";
    if (problem.caret > 0) {
      out += std::string(number.size(), ' ') + " | " +
             std::string(static_cast<size_t>(problem.caret - 1), ' ') + "^\n";
    }
  }
  if (!problem.hint.empty()) out += "  hint: " + problem.hint + "\n";
  return out;
}

}  // namespace spool
