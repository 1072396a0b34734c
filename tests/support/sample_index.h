// schemas/samples/producers: what each producer sends, made by hand from its shape, and what it
// must become. index.json lists them; every suite that reads it reads all of it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace spool::testing {

struct ProducerSample {
  std::string name;
  std::string path;  // as posted, with its query
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string schema;                  // of the records, in schemas/producers; empty: none
  bool fresh = false;                  // has nothing of its own to be known by again
  bool valid = true;                   // what is stored is the body's own bytes
  std::string keep;                    // in the data, digit by digit
  nlohmann::json answer;               // of an admission review: its uid and apiVersion; else null
  std::vector<nlohmann::json> events;  // the attributes that each event must have, in order
};

// Aborts if a file is missing.
std::vector<ProducerSample> ProducerSamples();

// What the event has otherwise; empty if it has all that is expected. Attributes that are not named
// may be anything, but where there is no category there must be none.
std::string Mismatch(const nlohmann::json& expected, const nlohmann::json& event);

}  // namespace spool::testing
