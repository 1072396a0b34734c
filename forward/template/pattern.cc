#include "forward/template/pattern.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "forward/template/unicode.h"

namespace spool::tmpl {
namespace {

constexpr int kGroupsMax = 64;
constexpr int64_t kMemoryMax = 2 << 20;

// What follows a '$' in a replacement; `rest` begins behind it.
struct Reference {
  std::string_view name;
  size_t length;  // of what was taken from `rest`; 0: the '$' stands for itself
};

Reference TakeReference(std::string_view rest) {
  const bool braced = rest.starts_with('{');
  if (braced) rest.remove_prefix(1);
  size_t end = 0;
  for (size_t width = 0; end < rest.size(); end += width) {
    const char32_t rune = DecodeRune(rest.substr(end), &width);
    if (rune != '_' && !IsLetterOrDigit(rune)) break;
  }
  if (end == 0 || (braced && (end >= rest.size() || rest[end] != '}'))) return {{}, 0};
  return {rest.substr(0, end), end + (braced ? 2 : 0)};
}

}  // namespace

struct Pattern::Impl {
  Impl(std::string_view expression, const RE2::Options& options)
      : re(re2::StringPiece(expression.data(), expression.size()), options) {}

  void Expand(std::string& out, std::string_view replacement,
              const std::vector<re2::StringPiece>& groups, size_t bytes_max) const {
    while (!replacement.empty() && out.size() <= bytes_max) {
      const size_t dollar = std::min(replacement.find('$'), replacement.size());
      out.append(replacement, 0, dollar);
      replacement.remove_prefix(dollar);
      if (replacement.empty()) return;
      replacement.remove_prefix(1);
      if (replacement.starts_with('$')) {
        out.push_back('$');
        replacement.remove_prefix(1);
        continue;
      }
      const Reference reference = TakeReference(replacement);
      if (reference.length == 0) {
        out.push_back('$');
        continue;
      }
      replacement.remove_prefix(reference.length);
      const size_t group = GroupOf(reference.name);
      if (group < groups.size() && groups[group].data() != nullptr) {
        out.append(groups[group].data(), groups[group].size());
      }
    }
  }

  size_t GroupOf(std::string_view name) const {
    size_t group = 0;
    const char* end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data(), end, group);
    if (parsed.ptr == end) {
      const bool plain = parsed.ec == std::errc() && (name.size() == 1 || name[0] != '0');
      return plain ? group : std::string::npos;
    }
    const auto& names = re.NamedCapturingGroups();
    const auto found = names.find(std::string(name));
    return found == names.end() ? std::string::npos : static_cast<size_t>(found->second);
  }

  const RE2 re;
};

Pattern::Pattern(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Pattern::~Pattern() = default;

bool Pattern::Matches(std::string_view text) const {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), impl_->re);
}

// As regexp.ReplaceAllString goes about it.
bool Pattern::ReplaceAll(std::string& out, std::string_view text, std::string_view replacement,
                         size_t bytes_max) const {
  const RE2& re = impl_->re;
  const re2::StringPiece whole(text.data(), text.size());
  std::vector<re2::StringPiece> groups(static_cast<size_t>(re.NumberOfCapturingGroups()) + 1);
  size_t copied = 0;
  size_t search = 0;
  while (search <= text.size()) {
    if (!re.Match(whole, search, text.size(), RE2::UNANCHORED, groups.data(),
                  static_cast<int>(groups.size()))) {
      break;
    }
    const auto begin = static_cast<size_t>(groups[0].data() - text.data());
    const size_t end = begin + groups[0].size();
    out.append(text, copied, begin - copied);
    // No empty match right behind another one.
    if (end > copied || begin == 0) impl_->Expand(out, replacement, groups, bytes_max);
    if (out.size() > bytes_max) return false;
    copied = end;
    size_t width = 0;
    if (search < text.size()) DecodeRune(text.substr(search), &width);
    search = std::max(search + std::max<size_t>(width, 1), end);
  }
  out.append(text.substr(std::min(copied, text.size())));
  return out.size() <= bytes_max;
}

Result<std::shared_ptr<const Pattern>> Pattern::Compile(std::string_view expression) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMemoryMax);
  auto impl = std::make_unique<const Impl>(expression, options);
  if (!impl->re.ok()) {
    return Fail(Code::kInvalid, "the expression cannot be used: " + impl->re.error());
  }
  if (impl->re.NumberOfCapturingGroups() > kGroupsMax) {
    return Fail(Code::kInvalid,
                "the expression has more than " + std::to_string(kGroupsMax) + " groups");
  }
  return std::shared_ptr<const Pattern>(new Pattern(std::move(impl)));
}

}  // namespace spool::tmpl
