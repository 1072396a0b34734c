#include "forward/mapping.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "forward/envelope.h"

namespace spool {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kDepthMax = 32;

// "LINE:COLUMN" of that byte, both from 1.
std::string PlaceOf(std::string_view text, size_t byte) {
  const std::string_view before = text.substr(0, byte);
  const size_t line = 1 + static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
  const size_t last = before.rfind('\n');
  const size_t column = before.size() - (last == before.npos ? 0 : last + 1) + 1;
  return std::to_string(line) + ":" + std::to_string(column);
}

Result<Json> ParseDocument(std::string_view json) {
  try {
    return Json::parse(json);
  } catch (const Json::parse_error& error) {
    return Fail(Code::kInvalid,
                PlaceOf(json, error.byte > 0 ? error.byte - 1 : 0) + ": the mapping is not JSON");
  } catch (const Json::exception&) {
    return Fail(Code::kInvalid, "the mapping holds a number that is too large");
  }
}

}  // namespace

// A piece of finished JSON, and behind it, but for the last, a template's text.
struct Mapping::Impl {
  struct Piece {
    std::string json;
    std::string path;  // of the template's value
    std::optional<Template> text;
  };
  std::vector<Piece> pieces;
  std::vector<TemplateWarning> warnings;
  size_t bytes_max = 0;

  // Goes through the document and leaves what it has made in `json`, up to the next template.
  Status Add(const Json& value, const std::string& path, int depth, const TemplateOptions& options);
  Status AddText(const std::string& text, const std::string& path, const TemplateOptions& options);
  std::string json;
};

Status Mapping::Impl::AddText(const std::string& text, const std::string& path,
                              const TemplateOptions& options) {
  auto compiled = Template::Compile(text, options);
  if (!compiled) return Fail(path, compiled.error());
  for (const TemplateWarning& warning : compiled->warnings()) {
    warnings.push_back({path + ": " + warning.place, warning.message});
  }
  if (compiled->constant()) {
    std::string rendered;
    const Status done = compiled->Render(tmpl::Value(), SystemTime(), rendered);
    if (!done) return Fail(path, done.error());
    AppendJsonString(json, rendered);
    return {};
  }
  pieces.push_back({std::exchange(json, {}), path, *std::move(compiled)});
  return {};
}

Status Mapping::Impl::Add(const Json& value, const std::string& path, int depth,
                          const TemplateOptions& options) {
  if (depth > kDepthMax) {
    return Fail(Code::kInvalid,
                path + ": the mapping is more than " + std::to_string(kDepthMax) + " levels deep");
  }
  if (value.is_string()) return AddText(value.get_ref<const std::string&>(), path, options);
  if (!value.is_structured()) {
    json += value.dump();
    return {};
  }
  json.push_back(value.is_object() ? '{' : '[');
  size_t index = 0;
  for (const auto& [name, member] : value.items()) {
    if (index > 0) json.push_back(',');
    const std::string step = value.is_object() ? name : std::to_string(index);
    if (value.is_object()) {
      AppendJsonString(json, name);
      json.push_back(':');
    }
    ++index;
    const Status added = Add(member, path.empty() ? step : path + "." + step, depth + 1, options);
    if (!added) return added;
  }
  json.push_back(value.is_object() ? '}' : ']');
  return {};
}

Result<Mapping> Mapping::Compile(std::string_view json, std::string_view table,
                                 const TemplateOptions& options) {
  auto document = ParseDocument(json);
  if (!document) return tl::unexpected(document.error());
  if (!document->is_object()) return Fail(Code::kInvalid, "the mapping is not a JSON object");
  const Json* fields = &*document;
  if (!table.empty()) {
    const auto found = document->find(table);
    if (found == document->end()) {
      std::string names;
      for (const auto& [name, member] : document->items()) {
        names += (names.empty() ? "" : ", ") + name;
      }
      return Fail(Code::kInvalid, "the mapping has no table \"" + std::string(table) +
                                      "\"; it has: " + (names.empty() ? "none" : names));
    }
    fields = &*found;
    if (!fields->is_object()) {
      return Fail(Code::kInvalid,
                  "the mapping's table \"" + std::string(table) + "\" is not a JSON object");
    }
  }
  auto impl = std::make_shared<Impl>();
  impl->bytes_max = options.limits.output_bytes;
  const Status added = impl->Add(*fields, std::string(table), 0, options);
  if (!added) return tl::unexpected(added.error());
  impl->pieces.push_back({std::exchange(impl->json, {}), {}, std::nullopt});
  return Mapping(std::move(impl));
}

Status Mapping::Render(const tmpl::Value& root, SystemTime now, std::string& out) const {
  const size_t before = out.size();
  std::string text;
  for (const Impl::Piece& piece : impl_->pieces) {
    out += piece.json;
    if (piece.text) {
      text.clear();
      const Status done = piece.text->Render(root, now, text);
      if (!done) {
        out.resize(before);
        return Fail(piece.path, done.error());
      }
      AppendJsonString(out, text);
    }
    if (out.size() - before > impl_->bytes_max) {
      out.resize(before);
      return Fail(Code::kInvalid, "the mapping makes more than " +
                                      std::to_string(impl_->bytes_max) + " bytes of this event");
    }
  }
  return {};
}

const std::vector<TemplateWarning>& Mapping::warnings() const { return impl_->warnings; }

}  // namespace spool
