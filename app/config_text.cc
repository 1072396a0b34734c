#include "app/config_text.h"

#include <algorithm>
#include <vector>

namespace spool {
namespace {

constexpr size_t kScalarBytesMax = size_t{64} << 10;  // after substitution

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsName(std::string_view name) {
  return !name.empty() && IsNameStart(name[0]) && std::all_of(name.begin(), name.end(), [](char c) {
    return IsNameStart(c) || (c >= '0' && c <= '9');
  });
}

// Where `part` of a scalar stands, as far as its line tells.
Place PlaceOf(const YamlNode& node, std::string_view part) {
  Place place = node.start;
  if (place.file == nullptr || place.line == 0) return place;
  const std::string_view line = place.file->Line(place.line);
  int column = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    if ((static_cast<unsigned char>(line[i]) & 0xc0) != 0x80) ++column;
    if (column >= node.start.column && line.substr(i).starts_with(part)) {
      place.column = column;
      break;
    }
  }
  return place;
}

void SubstituteScalar(YamlNode& node, const char* (*get)(const char*), ConfigProblems& problems) {
  if (node.text.find('$') == std::string::npos) return;
  const std::string_view text = node.text;
  std::string out;
  bool replaced = false;
  node.unusable = true;  // until all of it is read
  for (size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    if (rest.starts_with("$$")) {
      out += '$';
      i += 2;
      continue;
    }
    if (!rest.starts_with("${")) {
      out += text[i++];
      continue;
    }
    const size_t close = rest.find('}');
    if (close == std::string_view::npos) {
      problems.Add(PlaceOf(node, rest), "'${' without a closing '}'", "write $$ for a plain $");
      return;
    }
    std::string_view inside = rest.substr(2, close - 2);
    const size_t colon = inside.find(":-");
    const std::string name(inside.substr(0, colon));
    if (!IsName(name)) {
      problems.Add(PlaceOf(node, rest), "'" + name + "' is not a variable's name",
                   "write ${NAME} or ${NAME:-default}, and $$ for a plain $");
      return;
    }
    const char* value = get(name.c_str());
    if (colon != std::string_view::npos && (value == nullptr || *value == '\0')) {
      out += inside.substr(colon + 2);
    } else if (value != nullptr) {
      out += value;
    } else {
      problems.Add(PlaceOf(node, rest), "the environment variable '" + name + "' is not set",
                   "write ${" + name + ":-default} to give a default");
      return;
    }
    replaced = true;
    i += close + 1;
  }
  if (out.size() > kScalarBytesMax) {
    problems.Add(node.start, "this value is longer than 64 KiB once its variables are replaced");
    return;
  }
  node.unusable = false;
  if (replaced) {
    node.written = std::move(node.text);
    node.substituted = true;
  }
  node.text = std::move(out);
}

}  // namespace

int EditDistance(std::string_view a, std::string_view b, int limit) {
  const auto n = static_cast<int>(a.size());
  const auto m = static_cast<int>(b.size());
  if (a.size() > b.size() + static_cast<size_t>(limit) ||
      b.size() > a.size() + static_cast<size_t>(limit)) {
    return limit + 1;
  }
  // Three rows of the table: two back (for swaps), the last, and this one.
  std::vector<int> before(m + 1), last(m + 1), row(m + 1);
  for (int j = 0; j <= m; ++j) last[j] = j;
  for (int i = 1; i <= n; ++i) {
    row[0] = i;
    int best = row[0];
    for (int j = 1; j <= m; ++j) {
      const int cost = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
      best = std::min(best, row[j]);
    }
    if (best > limit) return limit + 1;
    std::swap(before, last);
    std::swap(last, row);
  }
  return std::min(last[m], limit + 1);
}

std::string_view Nearest(std::string_view word, std::span<const std::string_view> words) {
  constexpr int kEdits = 2;
  std::string_view best;
  int best_distance = kEdits + 1;
  for (const std::string_view candidate : words) {
    const int distance = EditDistance(word, candidate, kEdits);
    // Two edits turn any two-letter word into any other: that is no likeness.
    if (distance >= static_cast<int>(std::min(word.size(), candidate.size()))) continue;
    if (distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string Join(std::span<const std::string_view> words, std::string_view between) {
  std::string out;
  for (const std::string_view word : words) {
    if (!out.empty()) out += between;
    out += word;
  }
  return out;
}

std::string Suggestion(std::string_view word, std::span<const std::string_view> words) {
  if (const std::string_view near = Nearest(word, words); !near.empty()) {
    return "did you mean '" + std::string(near) + "'?";
  }
  constexpr size_t kListed = 20;
  if (words.empty() || words.size() > kListed) return {};
  return "available: " + Join(words);
}

void Substitute(YamlNode& node, const char* (*get)(const char*), ConfigProblems& problems) {
  if (node.kind == YamlNode::Kind::kScalar) SubstituteScalar(node, get, problems);
  for (YamlNode& item : node.items) Substitute(item, get, problems);
  for (YamlNode::Entry& entry : node.entries) Substitute(entry.value, get, problems);
}

}  // namespace spool
