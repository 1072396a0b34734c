// The tables of everything that can be configured.
#pragma once

#include <span>
#include <string_view>

#include "base/field.h"

namespace spool {

// The whole configuration; sections hang below it.
const Section& ConfigSection();

// The stream of what was done through the admin API.
inline constexpr std::string_view kAuditStream = "spool-audit";

// A default stream's retention, where a stream of that name says nothing itself.
struct DefaultStream {
  std::string_view name;
  std::string_view holds;  // for the reference page
  std::string_view age;
  std::string_view size = "0";
  std::string_view when_full = "reject";
  bool special = false;
};
std::span<const DefaultStream> DefaultStreamTable();

// The batch of a target that is a broker, where it says nothing itself.
inline constexpr std::string_view kBrokerBatchEvents = "5000";
inline constexpr std::string_view kBrokerBatchBytes = "4MiB";

}  // namespace spool
