// What the tables of the configuration are put together from. Inside of config_fields.
#pragma once

#include <cstdint>
#include <vector>

#include "base/field.h"

namespace spool::config_fields {

inline constexpr int64_t kMillisecond = 1000;
inline constexpr int64_t kSecond = 1000 * kMillisecond;
inline constexpr int64_t kMinute = 60 * kSecond;
inline constexpr int64_t kHour = 60 * kMinute;
inline constexpr int64_t kDay = 24 * kHour;
inline constexpr int64_t kKiB = 1024;
inline constexpr int64_t kMiB = 1024 * kKiB;
inline constexpr int64_t kGiB = 1024 * kMiB;
inline constexpr int64_t kTiB = 1024 * kGiB;

Section Admin();             // the admin listener
Section RedactionSection();  // what is hidden of every source's records
Section QuarantineSection();
const Section& Source();               // one of `sources`
std::vector<Variant> PulledSources();  // of these, the ones that fetch
Field RedactField();                   // of every kind of source
const Section& Target();               // one of `targets`
const Section& TestCase();             // one of `tests`
const Section& ClassifyRuleSection();  // one of `classify`
Section Classification();

}  // namespace spool::config_fields
