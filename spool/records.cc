#include "spool/records.h"

#include "spool/journal_state.h"

namespace spool {
namespace {

class DurableRecords final : public Records {
 public:
  explicit DurableRecords(JournalState& state) : state_(state) {}

  Status Put(std::string_view key, std::string_view value) override {
    if (key.size() > kKeyMax || value.size() > kValueMax) {
      return Fail(Code::kInvalid, "a record's key or value is too long");
    }
    StoreBatch batch;
    batch.Put(state_.meta, RecordKey(key), value);
    return state_.Write(batch, true);
  }
  Result<std::optional<std::string>> Get(std::string_view key) const override {
    return state_.store->Get(state_.meta, RecordKey(key));
  }
  Status Remove(std::string_view key) override {
    StoreBatch batch;
    batch.Delete(state_.meta, RecordKey(key));
    return state_.Write(batch, true);
  }
  Result<std::vector<std::pair<std::string, std::string>>> List(
      std::string_view prefix) const override {
    std::vector<std::pair<std::string, std::string>> all;
    const auto it = state_.store->NewIterator(state_.meta);
    const std::string begin = RecordKey(prefix);
    for (it->Seek(begin); it->Valid() && it->key().substr(0, begin.size()) == begin; it->Next()) {
      all.emplace_back(it->key().substr(2), it->value());
    }
    if (auto status = it->status(); !status) return tl::unexpected(status.error());
    return all;
  }

 private:
  JournalState& state_;
};

}  // namespace

std::unique_ptr<Records> MakeRecords(JournalState& state) {
  return std::make_unique<DurableRecords>(state);
}

}  // namespace spool
