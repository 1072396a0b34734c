#include "tests/support/sample_index.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "tests/support/paths.h"

namespace spool::testing {
namespace {

using nlohmann::json;

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) std::abort();
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

std::vector<ProducerSample> ProducerSamples() {
  const std::string folder = SourceDir() + "/schemas/samples/producers/";
  std::vector<ProducerSample> samples;
  for (const json& entry : json::parse(ReadFile(folder + "index.json"))) {
    ProducerSample sample;
    sample.name = entry["name"];
    sample.path = entry["path"];
    if (entry.contains("query")) sample.path += "?" + entry["query"].get<std::string>();
    sample.content_type = entry["type"];
    const json headers = entry.value("headers", json::object());
    for (const auto& [name, value] : headers.items()) {
      sample.headers.emplace_back(name, value.get<std::string>());
    }
    sample.body = ReadFile(folder + entry["file"].get<std::string>());
    sample.schema = entry.value("schema", "");
    sample.fresh = entry.value("fresh", false);
    sample.valid = !entry.value("invalid", false);
    sample.keep = entry.value("keep", "");
    sample.answer = entry.value("answer", json());
    for (const json& event : entry["events"]) sample.events.push_back(event);
    samples.push_back(std::move(sample));
  }
  return samples;
}

std::string Mismatch(const json& expected, const json& event) {
  std::string wrong;
  for (const auto& [name, value] : expected.items()) {
    const json found = event.value(name, json());
    if (found != value) wrong += name + " is " + found.dump() + ", not " + value.dump() + "; ";
  }
  if (!expected.contains("category") && event.contains("category")) {
    wrong += "category is " + event["category"].dump() + "; ";
  }
  return wrong;
}

}  // namespace spool::testing
