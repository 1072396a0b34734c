#include "app/ctl/json.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "app/ctl/text.h"
#include "base/time_text.h"

namespace spool::ctl {
namespace {

using Tree = nlohmann::ordered_json;

constexpr int kDepthMax = 200;

const Tree& NodeOf(const void* node) {
  static const Tree null;
  return node == nullptr ? null : *static_cast<const Tree*>(node);
}

int Depth(std::string_view json) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

std::string DumpTree(const Tree& tree) {
  return tree.dump(-1, ' ', false, Tree::error_handler_t::replace);
}

// Whether `text` may stand in YAML without quotes and still be a string to every reader.
bool IsPlainYaml(std::string_view text) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  constexpr std::string_view kInside =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
  if (text.empty() || kLetters.find(text[0]) == kLetters.npos) return false;
  if (text.find_first_not_of(kInside) != text.npos) return false;
  static constexpr std::string_view kWords[] = {"true", "false", "yes", "no",  "on", "off",
                                                "null", "y",     "n",   "nan", "inf"};
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::find(std::begin(kWords), std::end(kWords), lower) == std::end(kWords);
}

std::string YamlString(std::string_view text) {
  // A JSON string is a YAML double-quoted one; hostile characters as escapes.
  return IsPlainYaml(text) ? std::string(text) : VisibleJson(JsonString(text));
}

void AppendYaml(std::string& out, const Tree& value, size_t indent);

// What follows "key:" or "-": a scalar on the line, a collection below it.
void AppendYamlValue(std::string& out, const Tree& value, size_t indent) {
  if (value.is_object() && !value.empty()) {
    out += '\n';
    AppendYaml(out, value, indent);
  } else if (value.is_array() && !value.empty()) {
    out += '\n';
    AppendYaml(out, value, indent);
  } else if (value.is_string()) {
    out += " " + YamlString(value.get_ref<const std::string&>()) + "\n";
  } else {
    out += " " + DumpTree(value) + "\n";
  }
}

void AppendYaml(std::string& out, const Tree& value, size_t indent) {
  const std::string pad(indent, ' ');
  if (value.is_object() && !value.empty()) {
    for (const auto& [key, member] : value.items()) {
      out += pad + YamlString(key) + ":";
      AppendYamlValue(out, member, indent + 2);
    }
  } else if (value.is_array() && !value.empty()) {
    for (const auto& item : value) {
      if ((item.is_object() || item.is_array()) && !item.empty()) {
        std::string inner;
        AppendYaml(inner, item, indent + 2);
        out += pad + "- " + inner.substr(indent + 2);
      } else {
        out += pad + "-";
        AppendYamlValue(out, item, indent + 2);
      }
    }
  } else {
    std::string line;
    AppendYamlValue(line, value, indent);
    out += pad + line.substr(1);
  }
}

}  // namespace

Result<Json> Json::Parse(std::string_view text) {
  if (Depth(text) > kDepthMax) return Fail(Code::kInvalid, "it is nested too deep");
  auto tree = std::make_shared<Tree>(Tree::parse(text.begin(), text.end(), nullptr, false));
  if (tree->is_discarded()) return Fail(Code::kInvalid, "it is not JSON");
  const Tree* root = tree.get();
  return Json(std::move(tree), root);
}

bool Json::is_null() const { return NodeOf(node_).is_null(); }
bool Json::is_object() const { return NodeOf(node_).is_object(); }
bool Json::is_array() const { return NodeOf(node_).is_array(); }
bool Json::is_string() const { return NodeOf(node_).is_string(); }

Json Json::operator[](std::string_view key) const {
  const Tree& node = NodeOf(node_);
  if (!node.is_object()) return {};
  const auto it = node.find(std::string(key));
  return it == node.end() ? Json() : Json(root_, &*it);
}

std::vector<Json> Json::items() const {
  std::vector<Json> out;
  if (!is_array()) return out;
  for (const Tree& item : NodeOf(node_)) out.push_back(Json(root_, &item));
  return out;
}

std::vector<std::pair<std::string, Json>> Json::members() const {
  std::vector<std::pair<std::string, Json>> out;
  if (!is_object()) return out;
  for (const auto& [key, value] : NodeOf(node_).items()) {
    out.emplace_back(key, Json(root_, &value));
  }
  return out;
}

std::string Json::Text() const {
  const Tree& node = NodeOf(node_);
  if (node.is_null()) return {};
  return node.is_string() ? node.get<std::string>() : DumpTree(node);
}

uint64_t Json::Number() const {
  const Tree& node = NodeOf(node_);
  if (node.is_number_unsigned()) return node.get<uint64_t>();
  const double real = Real();
  return real >= 1 && real < 1.8e19 ? static_cast<uint64_t>(real) : 0;
}

double Json::Real() const {
  const Tree& node = NodeOf(node_);
  return node.is_number() ? node.get<double>() : 0;
}

bool Json::Flag() const {
  const Tree& node = NodeOf(node_);
  return node.is_boolean() && node.get<bool>();
}

std::optional<SystemTime> Json::Time() const {
  const Tree& node = NodeOf(node_);
  if (!node.is_string()) return std::nullopt;
  return ParseRfc3339(node.get_ref<const std::string&>());
}

std::string Json::Yaml(size_t indent) const {
  std::string out;
  AppendYaml(out, NodeOf(node_), indent);
  return out;
}

std::string Json::Dump() const { return DumpTree(NodeOf(node_)); }

std::string JsonString(std::string_view text) { return DumpTree(Tree(std::string(text))); }

JsonObject& JsonObject::Add(std::string_view key, std::string_view text) {
  return AddRaw(key, JsonString(text));
}

JsonObject& JsonObject::AddRaw(std::string_view key, std::string_view json) {
  if (!members_.empty()) members_ += ",";
  members_ += JsonString(key) + ":" + std::string(json);
  return *this;
}

std::string PrettyJson(std::string_view json) {
  std::string out;
  out.reserve(json.size() * 2);
  size_t depth = 0;
  const auto new_line = [&] {
    out += '\n';
    out.append(2 * std::min<size_t>(depth, kDepthMax), ' ');
  };
  bool opened = false;  // the last token opened a collection that is still empty
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
    if (c == '}' || c == ']') {
      if (depth > 0) --depth;
      if (!opened) new_line();
      opened = false;
      out += c;
      continue;
    }
    if (opened) new_line();
    opened = false;
    if (c == '"') {
      size_t end = i + 1;
      while (end < json.size() && json[end] != '"') end += json[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, json.size());
      out += json.substr(i, end - i);
      i = end - 1;
    } else if (c == '{' || c == '[') {
      out += c;
      ++depth;
      opened = true;
    } else if (c == ',') {
      out += c;
      new_line();
    } else if (c == ':') {
      out += ": ";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace spool::ctl
