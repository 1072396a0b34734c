// schemas/classification.json, what the build made of it, and the page for people are one.
#include "ingest/classification_table.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/paths.h"

namespace spool {
namespace {

using Json = nlohmann::json;

const std::filesystem::path kSource = testing::SourceDir();
const std::string kMaker = kSource / "ingest/classification_table.py";
const std::string kTable = kSource / "schemas/classification.json";
const std::string kPage = kSource / "schemas/classification.md";

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Ran {
  int status = -1;
  std::string out;  // and what it complained of
};

Ran Make(const std::string& what, const std::string& table, const std::string& other) {
  const std::string command =
      "python3 '" + kMaker + "' " + what + " '" + table + "' '" + other + "' 2>&1";
  Ran ran;
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return ran;
  std::array<char, 4096> piece;
  for (size_t n = 0; (n = fread(piece.data(), 1, piece.size(), pipe)) > 0;) {
    ran.out.append(piece.data(), n);
  }
  const int status = pclose(pipe);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

std::string Text(const Category& c) {
  return c.empty() ? "" : std::string(c.category) + "/" + std::string(c.subcategory);
}
std::string At(const Json& row, const char* key) { return row.value(key, ""); }

Json List(std::span<const std::string_view> words) {
  return Json(std::vector<std::string>(words.begin(), words.end()));
}
Json ListAt(const Json& row, const char* key) { return row.value(key, Json::array()); }

TEST(ClassificationTable, TheProgramHasEveryRowInOrder) {
  const Json table = Json::parse(ReadAll(kTable));
  size_t i = 0;
  ASSERT_EQ(ResourceRules().size(), table["resources"].size());
  for (const Json& row : table["resources"]) {
    const ResourceRule& rule = ResourceRules()[i++];
    EXPECT_EQ(rule.group, At(row, "group"));
    EXPECT_EQ(rule.resource, At(row, "resource"));
    EXPECT_EQ(rule.subresource, At(row, "subresource"));
    EXPECT_EQ(Text(rule.result), At(row, "result"));
  }
  i = 0;
  for (const Json& part : table["reasons"]) {
    for (const Json& row : part["rules"]) {
      ASSERT_LT(i, ReasonRules().size());
      const ReasonRule& rule = ReasonRules()[i++];
      EXPECT_EQ(rule.reason, At(row, "reason"));
      EXPECT_EQ(rule.kind, At(row, "kind"));
      EXPECT_EQ(Text(rule.result), At(row, "result"));
    }
  }
  EXPECT_EQ(i, ReasonRules().size());
  i = 0;
  ASSERT_EQ(SeverityRules().size(), table["severities"].size());
  for (const Json& row : table["severities"]) {
    EXPECT_EQ(SeverityRules()[i].reason, At(row, "reason"));
    EXPECT_EQ(SeverityName(SeverityRules()[i++].at_least), At(row, "at_least"));
  }
  i = 0;
  ASSERT_EQ(AnnotationRules().size(), table["annotations"].size());
  for (const Json& row : table["annotations"]) {
    const AnnotationRule& rule = AnnotationRules()[i++];
    EXPECT_EQ(rule.prefix, At(row, "prefix"));
    EXPECT_EQ(rule.suffix, At(row, "suffix"));
    EXPECT_EQ(rule.contains, At(row, "contains"));
    EXPECT_EQ(Text(rule.result), At(row, "result"));
  }
  i = 0;
  ASSERT_EQ(RefusalRules().size(), table["refusals"].size());
  for (const Json& row : table["refusals"]) {
    const RefusalRule& rule = RefusalRules()[i++];
    EXPECT_EQ(List(rule.contains), ListAt(row, "contains"));
    EXPECT_EQ(rule.test == RefusalTest::kNone, !row.contains("test"));
    EXPECT_EQ(Text(rule.result), At(row, "result"));
    EXPECT_EQ(Text(rule.mutating), At(row, "mutating"));
  }
  i = 0;
  ASSERT_EQ(EventRules().size(), table["events"].size());
  for (const Json& row : table["events"]) {
    const EventRule& rule = EventRules()[i++];
    EXPECT_EQ(List(rule.reasons), ListAt(row, "reasons"));
    EXPECT_EQ(List(rule.components), ListAt(row, "components"));
    EXPECT_EQ(List(rule.groups), ListAt(row, "groups"));
    EXPECT_EQ(List(rule.kinds), ListAt(row, "kinds"));
    EXPECT_EQ(rule.refusal, row.value("refusal", false));
    EXPECT_EQ(rule.until, At(row, "until"));
    EXPECT_EQ(Text(rule.otherwise), At(row, "otherwise"));
    const Json message = ListAt(row, "message");
    ASSERT_EQ(rule.message.size(), message.size());
    for (size_t n = 0; n < message.size(); ++n) {
      EXPECT_EQ(rule.message[n].also, At(message[n], "also"));
      EXPECT_EQ(List(rule.message[n].contains), message[n]["contains"]);
      EXPECT_EQ(rule.message[n].any_case, message[n].value("any_case", false));
      EXPECT_EQ(Text(rule.message[n].result), At(message[n], "result"));
    }
  }
  i = 0;
  ASSERT_EQ(ProducerRules().size(), table["producers"].size());
  for (const Json& row : table["producers"]) {
    const ProducerRule& rule = ProducerRules()[i++];
    EXPECT_EQ(rule.producer, At(row, "producer"));
    EXPECT_EQ(rule.what, At(row, "what"));
    EXPECT_EQ(List(rule.is), ListAt(row, "is"));
    EXPECT_EQ(Text(rule.result), At(row, "result"));
  }
  for (const auto& [group, resources] : table["groups"].items()) {
    for (const Json& resource : resources) {
      EXPECT_EQ(GroupOfResource(resource.get<std::string>()), group);
    }
  }
  EXPECT_EQ(GroupOfResource("pods"), "");
  for (const auto& [category, parts] : table["categories"].items()) {
    EXPECT_EQ(List(SubcategoriesOf(category)), parts);
  }
  EXPECT_TRUE(SubcategoriesOf("other").empty());
  const Json& falco = table["falco"];
  EXPECT_EQ(Text(FalcoRules().internal), falco["internal"]);
  EXPECT_EQ(List(FalcoRules().audit_words), falco["audit_words"]);
  EXPECT_EQ(Text(FalcoRules().audit), falco["audit"]);
  EXPECT_EQ(Text(FalcoRules().otherwise), falco["otherwise"]);
  for (const auto& [resource, kind] : table["kinds"].items()) {
    EXPECT_EQ(KindOfResource(resource), kind.get<std::string>());
  }
  for (const Json& row : table["streams"]) {
    EXPECT_EQ(StreamOf(At(row, "category")), At(row, "stream"));
  }
  EXPECT_EQ(StreamOf(""), At(table, "default_stream"));
  EXPECT_EQ(StreamOf("other"), At(table, "default_stream"));
}

// Every category that the envelope may name, and no other.
TEST(ClassificationTable, ItsCategoriesAreThoseOfTheEnvelope) {
  const Json table = Json::parse(ReadAll(kTable));
  const Json envelope = Json::parse(ReadAll(kSource / "schemas/envelope.schema.json"));
  Json categories = Json::array(), subcategories = Json::array();
  for (const auto& [category, parts] : table["categories"].items()) {
    categories.push_back(category);
    for (const Json& part : parts) subcategories.push_back(part);
  }
  Json told = envelope["properties"]["category"]["enum"];
  Json sub_told = envelope["properties"]["subcategory"]["enum"];
  for (Json* list : {&categories, &subcategories, &told, &sub_told})
    std::sort(list->begin(), list->end());
  EXPECT_EQ(categories, told);
  EXPECT_EQ(subcategories, sub_told);
}

TEST(ClassificationTable, ThePageSaysWhatTheTableSays) {
  const Ran page = Make("page", kTable, kPage);
  ASSERT_EQ(page.status, 0) << page.out;
  EXPECT_EQ(page.out, ReadAll(kPage)) << "run: ./dev docs";
}

TEST(ClassificationTable, AMistakeInTheTableStopsTheBuild) {
  const auto scratch =
      std::filesystem::temp_directory_path() / ("spool-table-" + std::to_string(getpid()));
  std::filesystem::create_directory(scratch);
  const std::string changed = scratch / "table.json", out = scratch / "rules.inc";
  const std::string good = ReadAll(kTable);
  const auto with = [&](const std::string& old, const std::string& now) {
    std::string text = good;
    const size_t at = text.find(old);
    EXPECT_NE(at, text.npos) << old;
    text.replace(at, old.size(), now);
    std::ofstream(changed, std::ios::trunc) << text;
    return Make("inc", changed, out);
  };
  EXPECT_EQ(with("\"about\"", "\"about\"").status, 0);
  EXPECT_TRUE(std::filesystem::exists(out));
  std::filesystem::remove(out);
  for (const auto& [old, now, says] : std::vector<std::array<std::string, 3>>{
           {"infrastructure/node", "infrastructure/nodes", "there is no category"},
           {"\"subresource\": \"exec\"", "\"subressource\": \"exec\"", "missing"},
           {"\"NodeNotReady\"", "\"NodeReady\"", "there already"},
           {"usage_limit", "usage_limits", "there is no test"},
           {"\"warning\"", "\"loud\"", "there is no severity"},
           {"\"pull access denied\"", "\"Pull access denied\"", "lower case"},
           {"\"about\"", "\"falco\"", "twice"},
           {"\"what\": \"operation\", ", "", "belong together"},
           {"\"what\": \"type\", \"is\": [\"MatchedNetworkPolicy\"], ", "", "fits all of"},
           {"\"clusterroles\"", "\"roles\"", "there already"},
           {"\"any_case\"", "\"anycase\"", "there is no 'anycase'"},
           {"{\"group\": \"*\", \"resource\": \"*\"", "{\"group\": \"\", \"resource\": \"*\"",
            "last rule"}}) {
    const Ran ran = with(old, now);
    EXPECT_EQ(ran.status, 1) << now;
    EXPECT_NE(ran.out.find(says), std::string::npos) << now << ": " << ran.out;
    EXPECT_FALSE(std::filesystem::exists(out)) << now;
  }
  // And a page that does not follow is seen.
  std::string text = good;
  text.replace(text.find("kyverno.io"), 10, "kyverno.xy");
  std::ofstream(changed, std::ios::trunc) << text;
  EXPECT_NE(Make("page", changed, kPage).out, ReadAll(kPage));
  std::filesystem::remove_all(scratch);
}

}  // namespace
}  // namespace spool
