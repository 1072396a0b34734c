#include "spool/source_gaps.h"

#include <algorithm>

#include "base/log.h"
#include "spool/codec.h"
#include "spool/records.h"

namespace spool {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kWordMax = 128;
constexpr std::string_view kGapKind = "gap/";
constexpr std::string_view kTakingKind = "taking/";

// Twenty digits, so that keys sort as numbers do.
std::string KeyOf(uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(kGapKind) + std::string(20 - digits.size(), '0') + digits;
}

std::string EncodeTaking(SystemTime time) {
  std::string out;
  codec::PutFixed(out, kVersion);
  codec::PutFixed(out, ToMicros(time));
  return out;
}

std::optional<SystemTime> DecodeTaking(std::string_view bytes) {
  codec::Parser in(bytes);
  const auto version = in.Fixed<uint8_t>();
  const auto micros = in.Fixed<int64_t>();
  if (!in.ok() || version != kVersion || !in.rest().empty()) return std::nullopt;
  return FromMicros(micros);
}

void TellDamaged(const std::string& key) {
  log::Error("A record of when a source took events cannot be read and is left out.",
             {{"record", key}});
}

}  // namespace

std::string EncodeSourceGap(const SourceGap& gap) {
  std::string out;
  codec::PutFixed(out, kVersion);
  codec::PutVarint(out, gap.number);
  codec::PutText(out, gap.source);
  codec::PutText(out, gap.cause);
  codec::PutFixed(out, ToMicros(gap.from));
  codec::PutFixed(out, static_cast<uint8_t>(gap.to ? 1 : 0));
  if (gap.to) codec::PutFixed(out, ToMicros(*gap.to));
  return out;
}

std::optional<SourceGap> DecodeSourceGap(std::string_view bytes) {
  codec::Parser in(bytes);
  const auto version = in.Fixed<uint8_t>();
  SourceGap gap;
  gap.number = in.Varint();
  gap.source = in.Text();
  gap.cause = in.Text();
  gap.from = FromMicros(in.Fixed<int64_t>());
  const auto ended = in.Fixed<uint8_t>();
  if (ended != 0) gap.to = FromMicros(in.Fixed<int64_t>());
  if (!in.ok() || version != kVersion || ended > 1 || !in.rest().empty()) return std::nullopt;
  return gap;
}

Result<std::unique_ptr<SourceGaps>> SourceGaps::Load(Records& records) {
  std::unique_ptr<SourceGaps> gaps(new SourceGaps(records));
  auto kept = records.List(kGapKind);
  if (!kept) return tl::unexpected(kept.error());
  for (const auto& [key, value] : *kept) {
    auto gap = DecodeSourceGap(value);
    if (!gap || KeyOf(gap->number) != key) {
      TellDamaged(key);
      continue;
    }
    gaps->next_ = gap->number + 1;
    gaps->gaps_.push_back(*std::move(gap));
  }
  auto taking = records.List(kTakingKind);
  if (!taking) return tl::unexpected(taking.error());
  for (const auto& [key, value] : *taking) {
    if (const auto time = DecodeTaking(value)) {
      gaps->taking_[key.substr(kTakingKind.size())] = *time;
    } else {
      TellDamaged(key);
    }
  }
  return gaps;
}

Status SourceGaps::Begin(std::string_view source, std::string_view cause, SystemTime from) {
  if (source.size() > kWordMax || cause.size() > kWordMax) {
    return Fail(Code::kInvalid, "a gap's source or cause is too long");
  }
  const std::lock_guard lock(mutex_);
  if (OpenOf(source) != nullptr) return {};
  SourceGap gap{next_, std::string(source), std::string(cause), from, std::nullopt};
  if (auto kept = Keep(gap); !kept) return kept;
  ++next_;
  ++counts_[{gap.source, gap.cause}];
  gaps_.push_back(std::move(gap));
  const auto of_source = [&](const SourceGap& other) { return other.source == source; };
  if (std::count_if(gaps_.begin(), gaps_.end(), of_source) <= static_cast<int64_t>(kGapsMax)) {
    return {};
  }
  const auto oldest = std::find_if(gaps_.begin(), gaps_.end(), of_source);
  if (auto removed = records_.Remove(KeyOf(oldest->number)); !removed) return removed;
  gaps_.erase(oldest);
  return {};
}

Status SourceGaps::End(std::string_view source, SystemTime to) {
  const std::lock_guard lock(mutex_);
  SourceGap* gap = OpenOf(source);
  if (gap == nullptr) return {};
  SourceGap ended = *gap;
  ended.to = std::max(to, gap->from);
  if (auto kept = Keep(ended); !kept) return kept;
  *gap = std::move(ended);
  return {};
}

Status SourceGaps::Taking(std::string_view source, SystemTime now) {
  if (source.size() > kWordMax) return Fail(Code::kInvalid, "a source's name is too long");
  const std::lock_guard lock(mutex_);
  if (auto put = records_.Put(std::string(kTakingKind) + std::string(source), EncodeTaking(now));
      !put) {
    return put;
  }
  taking_.insert_or_assign(std::string(source), now);
  return {};
}

std::optional<SystemTime> SourceGaps::LastTaking(std::string_view source) const {
  const std::lock_guard lock(mutex_);
  const auto it = taking_.find(source);
  return it == taking_.end() ? std::nullopt : std::optional(it->second);
}

std::optional<SourceGap> SourceGaps::OpenGap(std::string_view source) const {
  const std::lock_guard lock(mutex_);
  for (const SourceGap& gap : gaps_) {
    if (gap.source == source && !gap.to) return gap;
  }
  return std::nullopt;
}

std::vector<SourceGap> SourceGaps::List() const {
  const std::lock_guard lock(mutex_);
  return gaps_;
}

std::map<std::pair<std::string, std::string>, uint64_t> SourceGaps::Counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

Status SourceGaps::Keep(const SourceGap& gap) {
  return records_.Put(KeyOf(gap.number), EncodeSourceGap(gap));
}

SourceGap* SourceGaps::OpenOf(std::string_view source) {
  for (SourceGap& gap : gaps_) {
    if (gap.source == source && !gap.to) return &gap;
  }
  return nullptr;
}

}  // namespace spool
