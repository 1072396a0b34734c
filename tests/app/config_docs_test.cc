// The reference page and the schema are what the tables say.
#include <nlohmann/json.hpp>

#include "app/config_fields.h"
#include "tests/app/config_fixture.h"
#include "tests/support/paths.h"

namespace spool {
namespace {

using namespace config_test;
using ::testing::HasSubstr;
using Json = nlohmann::json;

const std::filesystem::path kSource = spool::testing::SourceDir();

TEST(ConfigDocs, ThePageIsWhatTheTablesSay) {
  EXPECT_EQ(ReadAll(kSource / "docs/config.md"), ConfigDocs())
      << "run: spoold --print-config-docs > docs/config.md";
}

TEST(ConfigDocs, TheSchemaIsWhatTheTablesSay) {
  EXPECT_EQ(ReadAll(kSource / "schemas/config.schema.json"), ConfigSchema())
      << "run: spoold --print-config-schema > schemas/config.schema.json";
}

TEST(ConfigDocs, NoFieldIsForgotten) {
  const std::string docs = ConfigDocs();
  const Json schema = Json::parse(ConfigSchema());
  for (const Field& field : ConfigSection().fields) {
    const std::string name(field.name);
    EXPECT_THAT(docs, HasSubstr("`" + name + "`"));
    ASSERT_TRUE(schema["properties"].contains(name)) << name;
    if (field.section == nullptr) continue;
    for (const Field& inner : field.section->fields) {
      EXPECT_THAT(docs, HasSubstr(std::string(inner.name))) << name;
    }
    for (const Variant& variant : field.section->variants) {
      EXPECT_THAT(docs, HasSubstr("type `" + std::string(variant.word) + "`"));
    }
  }
}

TEST(ConfigDocs, TheSchemaHasNoLooseEnds) {
  const Json schema = Json::parse(ConfigSchema());
  EXPECT_EQ(schema["$schema"], "http://json-schema.org/draft-07/schema#");
  EXPECT_EQ(schema["additionalProperties"], false);
  size_t references = 0;
  const std::function<void(const Json&)> walk = [&](const Json& node) {
    if (node.is_object() && node.contains("$ref")) {
      const std::string name = node["$ref"].get<std::string>();
      EXPECT_TRUE(name.starts_with("#/definitions/")) << name;
      EXPECT_TRUE(schema["definitions"].contains(name.substr(14))) << name;
      EXPECT_EQ(node.size(), 1u) << node;  // draft-07 ignores what stands beside it
      ++references;
    }
    if (node.is_structured()) {
      for (const Json& child : node) walk(child);
    }
  };
  walk(schema);
  EXPECT_GT(references, 20u);
  const Json& target = schema["properties"]["targets"]["additionalProperties"];
  EXPECT_EQ(target["allOf"].size(), ConfigSection().fields.back().section->variants.size());
  EXPECT_EQ(target["allOf"][0]["then"]["required"], Json::array({"url"}));
  EXPECT_EQ(target["properties"]["batch"]["properties"]["events"]["default"], 1000);
}

}  // namespace
}  // namespace spool
