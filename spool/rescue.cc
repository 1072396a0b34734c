#include "spool/rescue.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace spool {
namespace {

constexpr size_t kTargetBytes = 96;  // of a seek's key: longer than what keys have in common
constexpr size_t kBatchBytes = size_t{4} << 20;

// Keys as numbers of kTargetBytes digits, the highest first.
std::string Number(std::string_view key) {
  std::string number(key.substr(0, kTargetBytes));
  number.resize(kTargetBytes, '\0');
  return number;
}

std::string Between(const std::string& low, const std::string& high) {
  std::string sum(kTargetBytes, '\0');
  unsigned carry = 0;
  for (size_t i = kTargetBytes; i-- > 0;) {
    carry += static_cast<uint8_t>(low[i]) + static_cast<uint8_t>(high[i]);
    sum[i] = static_cast<char>(carry & 0xff);
    carry >>= 8;
  }
  for (size_t i = 0; i < kTargetBytes; ++i) {  // halved
    const unsigned digit = (carry << 8) | static_cast<uint8_t>(sum[i]);
    sum[i] = static_cast<char>(digit >> 1);
    carry = digit & 1;
  }
  return sum;
}

}  // namespace

// A failed iterator stays so: each look is a new one's.
std::unique_ptr<RocksStore::Iterator> ReadOnBehind(const RocksStore& store, FamilyId family,
                                                   std::string_view after) {
  const auto look = [&](const std::string& key) {
    auto it = store.NewIterator(family);
    it->Seek(key);
    return it->status() ? std::move(it) : nullptr;
  };
  std::string low = Number(after);
  std::string high(kTargetBytes, '\xff');
  auto behind = look(high);
  if (behind == nullptr) return nullptr;
  for (std::string middle = Between(low, high); middle != low; middle = Between(low, high)) {
    if (auto it = look(middle)) {
      behind = std::move(it);
      high = std::move(middle);
    } else {
      low = std::move(middle);
    }
  }
  return behind;
}

RescuedRecords RescuedRecords::Read(const RocksStore& store, FamilyId family, bool keep) {
  RescuedRecords out;
  auto it = store.NewIterator(family);
  std::string last;
  it->SeekToFirst();
  for (;;) {
    for (; it->Valid(); it->Next()) {
      last = it->key();
      ++out.count_;
      if (keep) out.records_.emplace(last, it->value());
    }
    const Status status = it->status();
    if (status) return out;
    if (!keep) return Read(store, family, true);
    if (out.error_.empty()) out.error_ = status.error().message;
    it = ReadOnBehind(store, family, last);
    if (it == nullptr || !it->Valid()) {
      out.gaps_.push_back({last, {}});
      return out;
    }
    out.gaps_.push_back({last, std::string(it->key())});
  }
}

bool RescuedRecords::MayMiss(std::string_view key) const {
  return std::any_of(gaps_.begin(), gaps_.end(), [&](const Gap& gap) {
    return key > gap.after && (gap.before.empty() || key < gap.before);
  });
}

bool RescuedRecords::MayMissAny(std::string_view prefix) const {
  return std::any_of(gaps_.begin(), gaps_.end(), [&](const Gap& gap) {
    const bool begins_before_its_end =
        std::string_view(gap.after).substr(0, prefix.size()) <= prefix;
    const bool ends_behind_its_begin = gap.before.empty() || std::string_view(gap.before) > prefix;
    return begins_before_its_end && ends_behind_its_begin;
  });
}

Status RescuedRecords::Restore(RocksStore& store, FamilyId family) const {
  std::optional<StoreBatch> batch(std::in_place);
  size_t bytes = 0;
  const auto flush = [&](size_t more) -> Status {
    bytes += more;
    if (bytes < kBatchBytes) return {};
    bytes = 0;
    Status written = store.Write(*batch, true);
    batch.emplace();
    return written;
  };
  std::vector<std::string> stale;
  const auto it = store.NewIterator(family);
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    if (!records_.contains(it->key()) && !MayMiss(it->key())) stale.emplace_back(it->key());
  }
  if (auto status = it->status(); !status) return status;
  for (const std::string& key : stale) {
    batch->Delete(family, key);
    if (auto written = flush(key.size()); !written) return written;
  }
  for (const auto& [key, value] : records_) {
    batch->Put(family, key, value);
    if (auto written = flush(key.size() + value.size()); !written) return written;
  }
  return store.Write(*batch, true);
}

}  // namespace spool
