// schemas/producers says what each shape is: its samples are valid by it, and by no other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "tests/support/ingest_fixture.h"
#include "tests/support/paths.h"
#include "tests/support/sample_index.h"

namespace spool {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class ProducerSchemas : public ::testing::Test {
 protected:
  ProducerSchemas() {
    for (const auto& entry : fs::directory_iterator(testing::SourceDir() + "/schemas/producers")) {
      std::ifstream in(entry.path());
      const json text = json::parse(in);
      const std::string file = entry.path().filename();
      const std::string name = file.substr(0, file.find(".schema.json"));
      EXPECT_EQ(text["$id"], "https://spool.dev/schemas/producers/" + file);
      valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
      parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(text), schemas_[name]);
    }
  }
  // What is wrong with it; empty when nothing is.
  std::string Complaint(const std::string& schema, const json& record) {
    valijson::Validator validator;
    valijson::ValidationResults results;
    const valijson::adapters::NlohmannJsonAdapter target(record);
    if (validator.validate(schemas_.at(schema), target, &results)) return "";
    std::string all;
    for (valijson::ValidationResults::Error error; results.popError(error);) {
      for (const std::string& part : error.context) all += part;
      all += ": " + error.description + "\n";
    }
    return all.empty() ? "not valid" : all;
  }
  std::map<std::string, valijson::Schema> schemas_;
};

TEST_F(ProducerSchemas, EachSampleIsOfItsOwnShapeAlone) {
  ASSERT_EQ(schemas_.size(), 10U);
  std::set<std::string> used;
  IngestFixture ingest;
  for (const testing::ProducerSample& sample : testing::ProducerSamples()) {
    if (sample.schema.empty()) continue;
    used.insert(sample.schema);
    IngestFixture::Headers headers;
    for (auto [name, value] : sample.headers) {
      for (char& c : name) c = static_cast<char>(std::tolower(c));
      headers.emplace_back(name, value);
    }
    for (const ReadBack& e : ingest.Events(sample.path.substr(0, sample.path.find('?')),
                                           sample.body, sample.content_type, headers)) {
      if (e.view.producer == "json") continue;  // a line that is nobody's
      const json record = json::parse(e.view.data);
      for (auto& [name, schema] : schemas_) {
        const std::string complaint = Complaint(name, record);
        EXPECT_EQ(complaint.empty(), name == sample.schema)
            << sample.name << " by " << name << ": " << complaint << record;
      }
    }
  }
  EXPECT_EQ(used.size(), schemas_.size());
}

TEST_F(ProducerSchemas, NothingIsOfNoShape) {
  for (auto& [name, schema] : schemas_) {
    EXPECT_NE(Complaint(name, json::object()), "") << name;
    EXPECT_NE(Complaint(name, json::array()), "") << name;
  }
}

}  // namespace
}  // namespace spool
