#include "tests/support/power_events.h"

#include <random>
#include <string_view>

namespace spool::testing {

using nlohmann::json;

namespace {

bool IsNode(uint64_t number) { return number % 4 == 0; }

}  // namespace

// The text compresses little, so that what is written is as large as it looks; and it has nothing
// that could be taken for a secret and hidden.
json PowerDataOf(uint64_t number, const PowerBatch& batch) {
  std::mt19937_64 random(number);
  std::string text(random() % 600, ' ');
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
  for (char& c : text) c = kLetters[random() % kLetters.size()];
  json data = {{"n", number}, {"first", batch.first}, {"count", batch.second}, {"text", text}};
  if (IsNode(number)) data.update({{"apiVersion", "v1"}, {"kind", "Node"}});
  return data;
}

std::string PowerBodyOf(const PowerBatch& batch) {
  json body = json::array();
  for (uint64_t n = batch.first; n < batch.first + batch.second; ++n) {
    body.push_back({{"specversion", "1.0"},
                    {"id", "p-" + std::to_string(n)},
                    {"source", "/power-test"},
                    {"type", IsNode(n) ? "KUBERNETES_TOPOLOGY_CHANGE" : "test.power"},
                    {"data", PowerDataOf(n, batch)}});
  }
  return body.dump();
}

std::string PowerStreamOf(uint64_t number) {
  return IsNode(number) ? "infrastructure-changes" : "kubernetes-events";
}

}  // namespace spool::testing
