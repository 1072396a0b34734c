#include "app/request_body.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

namespace spool {

struct RequestBody::Tree {
  nlohmann::json root;
};

namespace {

constexpr int kDepthMax = 8;

tl::unexpected<Error> Wrong(std::string_view key, std::string_view wanted) {
  return Fail(Code::kInvalid,
              "The member '" + std::string(key) + "' takes " + std::string(wanted) + ".");
}

const nlohmann::json* Find(const nlohmann::json& root, std::string_view key) {
  const auto it = root.find(std::string(key));
  return it == root.end() || it->is_null() ? nullptr : &*it;
}

}  // namespace

std::optional<Sequence> ParseSequence(std::string_view text) {
  Sequence out;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

Result<RequestBody> RequestBody::Parse(std::string_view text,
                                       std::initializer_list<std::string_view> known) {
  auto tree = std::make_shared<Tree>();
  tree->root = nlohmann::json::object();
  if (text.find_first_not_of(" \t\r\n") == text.npos) return RequestBody(std::move(tree));
  std::set<std::string> seen;
  bool too_deep = false;
  std::string twice;
  // The parser keeps the last of equal members in silence, so they are counted on the way.
  const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    if (depth > kDepthMax) too_deep = true;
    if (event == nlohmann::json::parse_event_t::key && depth == 1 &&
        !seen.insert(parsed.get<std::string>()).second) {
      twice = parsed.get<std::string>();
    }
    return depth <= kDepthMax;
  };
  try {
    tree->root = nlohmann::json::parse(text, watch);
  } catch (const nlohmann::json::exception& e) {
    return Fail(Code::kInvalid, "The body is not JSON.");
  }
  if (too_deep || !tree->root.is_object()) {
    return Fail(Code::kInvalid, "The body must be one flat JSON object.");
  }
  if (!twice.empty()) {
    return Fail(Code::kInvalid, "The member '" + twice.substr(0, 64) + "' is given twice.");
  }
  for (const auto& [key, value] : tree->root.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return Fail(Code::kInvalid, "There is no member '" + key.substr(0, 64) + "' here.");
    }
  }
  return RequestBody(std::move(tree));
}

Result<std::optional<std::string>> RequestBody::Text(std::string_view key) const {
  const nlohmann::json* value = Find(tree_->root, key);
  if (value == nullptr) return std::optional<std::string>();
  if (!value->is_string()) return Wrong(key, "a text");
  return std::optional<std::string>(value->get<std::string>());
}

Result<std::optional<double>> RequestBody::Number(std::string_view key) const {
  const nlohmann::json* value = Find(tree_->root, key);
  if (value == nullptr) return std::optional<double>();
  if (!value->is_number()) return Wrong(key, "a number");
  return std::optional<double>(value->get<double>());
}

Result<bool> RequestBody::Flag(std::string_view key) const {
  const nlohmann::json* value = Find(tree_->root, key);
  if (value == nullptr) return false;
  if (!value->is_boolean()) return Wrong(key, "true or false");
  return value->get<bool>();
}

Result<std::vector<std::string>> RequestBody::Texts(std::string_view key) const {
  std::vector<std::string> out;
  const nlohmann::json* value = Find(tree_->root, key);
  if (value == nullptr) return out;
  if (!value->is_array()) return Wrong(key, "a list of texts");
  for (const nlohmann::json& item : *value) {
    if (!item.is_string()) return Wrong(key, "a list of texts");
    out.push_back(item.get<std::string>());
  }
  return out;
}

std::optional<Sequence> RequestBody::SequenceOf(std::string_view key) const {
  const nlohmann::json* value = Find(tree_->root, key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number_unsigned()) return Sequence{value->get<uint64_t>()};
  return value->is_string() ? ParseSequence(value->get<std::string>()) : std::nullopt;
}

}  // namespace spool
