#include "forward/data_path.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

namespace spool {
namespace {

namespace od = simdjson::ondemand;

// The parser and its padded copy of the text are kept per thread: an event is a few microseconds
// of work and would otherwise be mostly allocation. Text above kKeepBytes does not stay.
constexpr size_t kKeepBytes = 256 << 10;
struct Workspace {
  od::parser parser;
  std::unique_ptr<char[]> text;
  size_t capacity = 0;
  od::document document;
};

Workspace& ThisThread() {
  thread_local Workspace workspace;
  return workspace;
}

std::optional<std::string_view> Trimmed(std::string_view text) {
  const size_t end = text.find_last_not_of(" \t\r\n");
  return text.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

std::optional<std::string_view> Text(od::value value) {
  od::json_type type;
  if (value.type().get(type) != simdjson::SUCCESS) return std::nullopt;
  std::string_view text;
  switch (type) {
    case od::json_type::null: return std::nullopt;
    case od::json_type::string:
      if (value.get_string().get(text) != simdjson::SUCCESS) return std::nullopt;
      return text;
    case od::json_type::number:
    case od::json_type::boolean: return Trimmed(value.raw_json_token());
    case od::json_type::object: {
      od::object object;
      if (value.get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
      if (object.raw_json().get(text) != simdjson::SUCCESS) return std::nullopt;
      return Trimmed(text);
    }
    case od::json_type::array: {
      od::array array;
      if (value.get_array().get(array) != simdjson::SUCCESS) return std::nullopt;
      if (array.raw_json().get(text) != simdjson::SUCCESS) return std::nullopt;
      return Trimmed(text);
    }
  }
  return std::nullopt;
}

// `whole`: the path is one member's name. Otherwise every member whose name is a prefix of the
// path up to a dot is tried, so that names with dots are found. Depth is bounded by the path.
template <class Value>
std::optional<std::string_view> Walk(Value&& value, std::string_view path, bool whole) {
  od::json_type type;
  if (value.type().get(type) != simdjson::SUCCESS) return std::nullopt;
  if (type == od::json_type::object) {
    od::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
    for (auto field : object) {
      std::string_view name;
      if (field.unescaped_key().get(name) != simdjson::SUCCESS) return std::nullopt;
      od::value member;
      if (field.value().get(member) != simdjson::SUCCESS) return std::nullopt;
      if (name == path) return Text(member);
      if (whole || path.size() <= name.size() || path[name.size()] != '.' ||
          !path.starts_with(name)) {
        continue;
      }
      auto found = Walk(member, path.substr(name.size() + 1), false);
      if (found) return found;
    }
    return std::nullopt;
  }
  if (type == od::json_type::array && !whole) {
    size_t index = 0;
    const size_t dot = std::min(path.find('.'), path.size());
    const auto [end, error] = std::from_chars(path.data(), path.data() + dot, index);
    if (error != std::errc() || end != path.data() + dot) return std::nullopt;
    od::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) return std::nullopt;
    for (auto element : array) {
      if (index-- > 0) continue;
      od::value item;
      if (element.get(item) != simdjson::SUCCESS) return std::nullopt;
      if (dot == path.size()) return Text(item);
      return Walk(item, path.substr(dot + 1), false);
    }
  }
  return std::nullopt;
}

// The object at `path` (names without dots), then its member `name`.
std::optional<std::string_view> WalkTo(od::document& document, std::string_view path,
                                       std::string_view name) {
  od::object object;
  if (document.get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
  while (!path.empty()) {
    const size_t dot = std::min(path.find('.'), path.size());
    od::value next;
    if (object.find_field_unordered(path.substr(0, dot)).get(next) != simdjson::SUCCESS) {
      return std::nullopt;
    }
    path.remove_prefix(std::min(dot + 1, path.size()));
    if (path.empty()) return Walk(next, name, true);
    if (next.get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

bool DataDocument::Open() {
  Workspace& workspace = ThisThread();
  if (tried_ && !open_) return false;
  // A look-up that came upon an error lets go of the parser, and there is nothing to rewind.
  if (tried_ && workspace.document.is_alive()) {
    workspace.document.rewind();
    return true;
  }
  if (tried_) return Parse();
  tried_ = true;
  const size_t needed = json_.size() + simdjson::SIMDJSON_PADDING;
  if (needed > workspace.capacity || workspace.capacity > std::max(needed, kKeepBytes)) {
    workspace.capacity = std::max<size_t>(needed, 16 << 10);
    workspace.text = std::make_unique_for_overwrite<char[]>(workspace.capacity);
  }
  std::memcpy(workspace.text.get(), json_.data(), json_.size());
  std::memset(workspace.text.get() + json_.size(), ' ', simdjson::SIMDJSON_PADDING);
  return Parse();
}

bool DataDocument::Parse() {
  Workspace& workspace = ThisThread();
  auto document = workspace.parser.iterate(workspace.text.get(), json_.size(), workspace.capacity);
  open_ = document.error() == simdjson::SUCCESS;
  if (open_) workspace.document = std::move(document.value_unsafe());
  return open_;
}

std::optional<std::string_view> DataDocument::Find(std::string_view path) {
  if (json_.empty() || !Open()) return std::nullopt;
  return Walk(ThisThread().document, path, false);
}

std::optional<std::string_view> DataDocument::FindMember(std::string_view object,
                                                         std::string_view name) {
  if (json_.empty() || !Open()) return std::nullopt;
  return WalkTo(ThisThread().document, object, name);
}

}  // namespace spool
