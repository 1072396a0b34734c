// The events of the power-cut rig, on both sides of the machine's edge.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace spool::testing {

// The first number and the count of the events of one request.
using PowerBatch = std::pair<uint64_t, uint64_t>;

// What is sent is a function of its number and its request alone, and says both.
nlohmann::json PowerDataOf(uint64_t number, const PowerBatch& batch);
std::string PowerBodyOf(const PowerBatch& batch);
// The stream that the journal keeps it in.
std::string PowerStreamOf(uint64_t number);

}  // namespace spool::testing
