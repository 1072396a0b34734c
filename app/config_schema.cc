// The JSON Schema (draft-07), made from the tables of fields. It tells an editor what the parser
// would; what looks at several fields at once only the parser tells.
#include <nlohmann/json.hpp>

#include "app/config_fields.h"
#include "app/config_values.h"

namespace spool {
namespace {

using Json = nlohmann::ordered_json;

Json Ref(std::string_view name) { return {{"$ref", "#/definitions/" + std::string(name)}}; }

// A value that is replaced before it is checked may be any text with ${…} in it.
Json OrSubstituted(Json schema) {
  return {{"anyOf", Json::array({std::move(schema), Ref("substituted")})}};
}

Json SectionSchema(const Section& section);

Json TextSchema(int64_t min, int64_t max) {
  Json schema = {{"type", Json::array({"string", "number", "boolean"})}};
  if (min > 0) schema["minLength"] = min;
  if (max < (int64_t{1} << 32)) schema["maxLength"] = max;
  return schema;
}

Json TypeSchema(const Field& field) {
  switch (field.type) {
    case FieldType::kText: return TextSchema(field.min, field.max);
    case FieldType::kName: return Ref("name");
    case FieldType::kBool: return OrSubstituted({{"type", "boolean"}});
    case FieldType::kInteger: {
      Json schema = {{"type", "integer"}, {"minimum", field.min}, {"maximum", field.max}};
      if (field.zero.empty() || field.min == 0) return OrSubstituted(std::move(schema));
      return {{"anyOf", Json::array({std::move(schema), {{"const", 0}}, Ref("substituted")})}};
    }
    case FieldType::kBytes: return Ref("size");
    case FieldType::kDuration: return Ref("duration");
    case FieldType::kRate: return Ref("rate");
    case FieldType::kByteRate: return Ref("byte_rate");
    case FieldType::kWord: {
      Json words = Json::array();
      for (const std::string_view word : field.words) words.push_back(word);
      return OrSubstituted({{"enum", std::move(words)}});
    }
    case FieldType::kAddress: return Ref("address");
    case FieldType::kUrl: {
      std::string schemes;
      for (const std::string_view word : field.words) {
        schemes += (schemes.empty() ? "" : "|") + std::string(word);
      }
      return OrSubstituted({{"type", "string"}, {"pattern", "^(" + schemes + ")://[^\\s@/]+"}});
    }
    case FieldType::kWhen: return {{"type", "string"}};
    case FieldType::kSecret: return Ref("secret");
    case FieldType::kTextList: {
      Json items = TextSchema(1, 4096);
      if (!field.words.empty()) {
        Field word = field;
        word.type = FieldType::kWord;
        items = TypeSchema(word);
      }
      Json schema = {{"type", "array"}, {"items", std::move(items)}};
      if (field.required || !field.words.empty()) schema["minItems"] = 1;
      return schema;
    }
    case FieldType::kTextMap:
      return {{"type", "object"}, {"additionalProperties", TextSchema(0, 4096)}};
    case FieldType::kRules: return Ref("rules");
    case FieldType::kSection: return SectionSchema(*field.section);
    case FieldType::kSectionList:
      return {{"type", "array"}, {"items", SectionSchema(*field.section)}};
    case FieldType::kSectionMap:
      return {{"type", Json::array({"object", "null"})},
              {"propertyNames", Ref("name")},
              {"additionalProperties", SectionSchema(*field.section)}};
  }
  return Json::object();
}

// "10s" stays a text; true and 7 become what YAML makes of them.
Json Plain(const Field& field, std::string_view text) {
  if (field.type == FieldType::kBool || field.type == FieldType::kInteger ||
      field.type == FieldType::kRate || field.type == FieldType::kByteRate) {
    const Json parsed = Json::parse(text, nullptr, false);
    if (!parsed.is_discarded()) return parsed;
  }
  return std::string(text);
}

Json FieldSchema(const Field& field) {
  Json schema = TypeSchema(field);
  std::string help(field.help);
  if (const std::string range = RangeText(field); !range.empty()) {
    help += (help.empty() ? "" : " ") + ("(" + range + ")");
  }
  // Beside a $ref draft-07 takes no other key.
  if (schema.contains("$ref")) schema = {{"allOf", Json::array({std::move(schema)})}};
  if (!help.empty() && !schema.contains("description")) schema["description"] = help;
  if (!field.fallback.empty()) schema["default"] = Plain(field, field.fallback);
  return schema;
}

void AddFields(Json& object, const std::vector<Field>& fields) {
  Json required = Json::array();
  for (const Field& field : fields) {
    object["properties"][std::string(field.name)] = FieldSchema(field);
    if (field.required) required.push_back(field.name);
  }
  if (!required.empty()) object["required"] = std::move(required);
}

// One `if type is X` a variant: its fields beside the common ones, and no others.
Json VariantSchema(const Section& section, const Variant& variant) {
  Json names = Json::object();
  for (const Field& field : section.fields) names[std::string(field.name)] = true;
  Json then = {{"properties", std::move(names)}};
  AddFields(then, variant.fields);
  then["additionalProperties"] = false;
  Json words = Json::array({variant.word});
  if (variant.word == "null") words.push_back(nullptr);
  return {
      {"if", {{"properties", {{"type", {{"enum", std::move(words)}}}}}, {"required", {"type"}}}},
      {"then", std::move(then)}};
}

Json SectionSchema(const Section& section) {
  Json schema;
  schema["type"] = section.variants.empty() ? Json::array({"object", "null"}) : Json("object");
  if (!section.help.empty()) schema["description"] = section.help;
  schema["properties"] = Json::object();
  AddFields(schema, section.fields);
  if (section.variants.empty()) {
    schema["additionalProperties"] = false;
    return schema;
  }
  Json types = Json::array();
  schema["allOf"] = Json::array();
  for (const Variant& variant : section.variants) {
    types.push_back(variant.word);
    if (variant.word == "null") types.push_back(nullptr);
    schema["allOf"].push_back(VariantSchema(section, variant));
  }
  schema["properties"]["type"] = {{"enum", std::move(types)},
                                  {"description", section.fields.front().help}};
  return schema;
}

Json Pattern(std::string_view pattern, std::string_view description) {
  return {{"type", "string"}, {"pattern", pattern}, {"description", description}};
}

Json Definitions() {
  const Json number = {{"type", "integer"}, {"minimum", 0}};
  const Json rate_number = {{"type", "number"}, {"minimum", 0}};
  const Json value = {{"type", Json::array({"string", "number", "boolean"})}};
  const Json rule = {{"type", "object"}, {"minProperties", 1}, {"additionalProperties", value}};
  const Json text = {{"type", "string"}, {"minLength", 1}};
  Json out;
  out["substituted"] = Pattern("\\$\\{", "${VAR} or ${VAR:-default}");
  out["name"] = Pattern("^[a-z0-9-]{1,63}$", "1 to 63 of a-z, 0-9 and '-'");
  out["size"] = {{"anyOf", Json::array({number, Pattern("^[0-9]+(B|[KMGT]i?B)?$", "such as 64MiB"),
                                        Ref("substituted")})}};
  out["duration"] = {{"anyOf", Json::array({Pattern("^([0-9]+(d|h|m|s|ms|us))+$", "such as 10s"),
                                            Ref("substituted")})}};
  out["rate"] = {
      {"anyOf", Json::array({rate_number, Pattern("^[0-9]+(\\.[0-9]+)?(/[smh])?$", "such as 100/s"),
                             Ref("substituted")})}};
  out["byte_rate"] = {
      {"anyOf", Json::array({number, Pattern("^[0-9]+(B|[KMGT]i?B)?(/[smh])?$", "such as 100MiB/s"),
                             Ref("substituted")})}};
  out["address"] = {
      {"anyOf", Json::array({Pattern("^([0-9.]+|\\[[0-9a-fA-F:.]+\\]):[0-9]{1,5}$",
                                     "an IP address and a port, such as 127.0.0.1:8080"),
                             Ref("substituted")})}};
  out["secret"] = {{"description", "{ file: PATH } or { env: NAME }"},
                   {"oneOf", Json::array({{{"type", "object"},
                                           {"properties", {{"file", text}}},
                                           {"required", {"file"}},
                                           {"additionalProperties", false}},
                                          {{"type", "object"},
                                           {"properties", {{"env", text}}},
                                           {"required", {"env"}},
                                           {"additionalProperties", false}}})}};
  out["rules"] = {{"description", "a list of match rules, or one"},
                  {"anyOf", Json::array({rule, {{"type", "array"}, {"items", rule}}})}};
  return out;
}

}  // namespace

std::string ConfigSchema() {
  Json schema;
  schema["$schema"] = "http://json-schema.org/draft-07/schema#";
  schema["title"] = "spool configuration";
  const Json whole = SectionSchema(ConfigSection());
  for (const auto& [key, value] : whole.items()) schema[key] = value;
  schema["type"] = "object";
  schema["definitions"] = Definitions();
  return schema.dump(2) + "\n";
}

}  // namespace spool
