#include "spool/dead_letters.h"

#include <map>
#include <mutex>

#include "spool/codec.h"
#include "spool/journal_state.h"

namespace spool {
namespace {

constexpr uint8_t kVersion = 1;

std::string KeyOf(const DeadLetterId& id) {
  return id.target + '\0' + codec::SequenceKey(id.sequence.value) + id.replay;
}

std::string Encode(const DeadLetter& letter) {
  std::string out;
  codec::PutFixed(out, kVersion);
  codec::PutFixed(out, static_cast<uint8_t>(letter.retry_wanted));
  codec::PutText(out, letter.id.target);
  codec::PutFixed(out, letter.id.sequence.value);
  codec::PutText(out, letter.id.replay);
  codec::PutHash(out, letter.event_id);
  for (const std::string* text : {&letter.reason, &letter.code, &letter.excerpt, &letter.stream,
                                  &letter.origin, &letter.record}) {
    codec::PutText(out, *text);
  }
  codec::PutFixed(out, letter.attempts);
  for (const SystemTime time : {letter.first_failed, letter.last_failed, letter.accepted}) {
    codec::PutFixed(out, ToMicros(time));
  }
  return out;
}

Result<DeadLetter> Decode(std::string_view bytes) {
  codec::Parser in(bytes);
  const auto version = in.Fixed<uint8_t>();
  DeadLetter letter;
  letter.retry_wanted = in.Fixed<uint8_t>() != 0;
  letter.id.target = in.Text();
  letter.id.sequence = {in.Fixed<uint64_t>()};
  letter.id.replay = in.Text();
  letter.event_id = in.Hash();
  for (std::string* text : {&letter.reason, &letter.code, &letter.excerpt, &letter.stream,
                            &letter.origin, &letter.record}) {
    *text = in.Text();
  }
  letter.attempts = in.Fixed<uint32_t>();
  for (SystemTime* time : {&letter.first_failed, &letter.last_failed, &letter.accepted}) {
    *time = FromMicros(in.Fixed<int64_t>());
  }
  if (!in.ok() || version != kVersion) return Fail(Code::kDamaged, "a dead letter is damaged");
  return letter;
}

class DurableDeadLetters final : public DeadLetters, public DeadLetterWriter {
 public:
  explicit DurableDeadLetters(JournalState& state) : state_(state) {}

  Status Load() {
    const auto it = state_.store->NewIterator(state_.dead);
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      auto letter = Decode(it->value());
      if (!letter) return tl::unexpected(letter.error());
      Count(*letter, +1);
    }
    return it->status();
  }

  Result<std::vector<DeadLetter>> List(std::string_view target,
                                       const std::optional<DeadLetterId>& after,
                                       size_t limit) const override {
    return Scan(target, after, limit, /*wanted=*/false);
  }

  Result<DeadLetter> Get(const DeadLetterId& id) const override {
    auto got = state_.store->Get(state_.dead, KeyOf(id));
    if (!got) return tl::unexpected(got.error());
    if (!*got) return Fail(Code::kNotFound, "there is no dead letter '" + ToText(id) + "'");
    return Decode(**got);
  }

  Status WantRetry(const DeadLetterId& id) override {
    std::lock_guard lock(writes_);
    auto letter = Get(id);
    if (!letter) return tl::unexpected(letter.error());
    if (letter->retry_wanted) return {};
    DeadLetter wanted = *letter;
    wanted.retry_wanted = true;
    return Replace(*letter, wanted);
  }

  Status FailedAgain(const DeadLetter& letter) override {
    std::lock_guard lock(writes_);
    auto old = Get(letter.id);
    if (!old) return tl::unexpected(old.error());
    return Replace(*old, letter);
  }

  Result<std::vector<DeadLetter>> Wanted(std::string_view target, size_t limit) const override {
    {
      std::lock_guard lock(mutex_);
      const auto found = totals_.find(target);
      if (found == totals_.end() || found->second.wanted == 0) return std::vector<DeadLetter>();
    }
    return Scan(target, std::nullopt, limit, /*wanted=*/true);
  }

  Status Drop(const DeadLetterId& id) override {
    std::lock_guard lock(writes_);
    StoreBatch batch;
    auto letter = RemoveFrom(batch, id);
    if (!letter) return tl::unexpected(letter.error());
    if (auto written = state_.Write(batch, true); !written) return written;
    Count(*letter, -1);
    return {};
  }

  std::vector<DeadLetterTotals> Totals() const override {
    std::vector<DeadLetterTotals> all;
    {
      std::lock_guard lock(mutex_);
      for (const auto& [target, total] : totals_) {
        if (total.count > 0) all.push_back({target, total.count, total.bytes, std::nullopt});
      }
    }
    for (auto& total : all) {
      auto first = List(total.target, std::nullopt, 1);
      if (first && !first->empty()) total.oldest = first->front().first_failed;
    }
    return all;
  }

  std::unique_lock<std::mutex> Exclusive() override { return std::unique_lock(writes_); }
  void AddTo(StoreBatch& batch, const std::vector<DeadLetter>& letters) override {
    for (const DeadLetter& letter : letters) {
      // A target that was removed and begins anew may meet its old letters again.
      if (const auto old = Get(letter.id)) Count(*old, -1);
      batch.Put(state_.dead, KeyOf(letter.id), Encode(letter));
    }
  }
  void Added(const std::vector<DeadLetter>& letters) override {
    for (const DeadLetter& letter : letters) Count(letter, +1);
  }
  Result<DeadLetter> RemoveFrom(StoreBatch& batch, const DeadLetterId& id) override {
    auto letter = Get(id);
    if (letter) batch.Delete(state_.dead, KeyOf(id));
    return letter;
  }
  void Removed(const DeadLetter& letter) override { Count(letter, -1); }

 private:
  struct Total {
    uint64_t count = 0;
    uint64_t bytes = 0;
    uint64_t wanted = 0;
  };

  Result<std::vector<DeadLetter>> Scan(std::string_view target,
                                       const std::optional<DeadLetterId>& after, size_t limit,
                                       bool wanted) const {
    std::vector<DeadLetter> letters;
    const auto it = state_.store->NewIterator(state_.dead);
    const std::string prefix = target.empty() ? "" : std::string(target) + '\0';
    it->Seek(after ? KeyOf(*after) + '\0' : prefix);
    for (; it->Valid() && letters.size() < limit; it->Next()) {
      if (it->key().substr(0, prefix.size()) != prefix) break;
      auto letter = Decode(it->value());
      if (!letter) return tl::unexpected(letter.error());
      if (!wanted || letter->retry_wanted) letters.push_back(std::move(*letter));
    }
    if (auto status = it->status(); !status) return tl::unexpected(status.error());
    return letters;
  }

  Status Replace(const DeadLetter& old, const DeadLetter& letter) {
    StoreBatch batch;
    batch.Put(state_.dead, KeyOf(letter.id), Encode(letter));
    if (auto written = state_.Write(batch, true); !written) return written;
    Count(old, -1);
    Count(letter, +1);
    return {};
  }

  void Count(const DeadLetter& letter, int by) {
    std::lock_guard lock(mutex_);
    Total& total = totals_[letter.id.target];
    total.count += by;
    total.bytes += by * static_cast<int64_t>(letter.record.size() + letter.excerpt.size());
    if (letter.retry_wanted) total.wanted += by;
  }

  JournalState& state_;
  std::mutex writes_;  // one change of a letter at a time
  mutable std::mutex mutex_;
  std::map<std::string, Total, std::less<>> totals_;
};

}  // namespace

Result<EventView> DeadLetter::View() const {
  auto view = DecodeRecord(record);
  if (!view) return view;
  view->sequence = id.sequence;
  view->stream = stream;
  view->accepted = accepted;
  view->origin = origin;
  return view;
}

std::string ToText(const DeadLetterId& id) {
  std::string text = id.target + "-" + ToText(id.sequence);
  if (!id.replay.empty()) text += "-" + id.replay;
  return text;
}

// Target names may hold hyphens and digits, so the sequence is the last run of digits that is
// followed by the end or by a replay's id ("r-" and letters).
std::optional<DeadLetterId> ParseDeadLetterId(std::string_view text) {
  DeadLetterId id;
  if (const size_t replay = text.rfind("-r-");
      replay != text.npos && replay > 0 && text.find('-', replay + 3) == text.npos) {
    const std::string_view before = text.substr(0, replay);
    const size_t hyphen = before.rfind('-');
    if (hyphen != before.npos && hyphen + 1 < before.size() &&
        before.find_first_not_of("0123456789", hyphen + 1) == before.npos) {
      id.replay = text.substr(replay + 1);
      text = before;
    }
  }
  const size_t hyphen = text.rfind('-');
  if (hyphen == text.npos || hyphen == 0 || text.size() - hyphen - 1 > 20 ||
      hyphen + 1 == text.size()) {
    return std::nullopt;
  }
  for (const char c : text.substr(hyphen + 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<uint64_t>(c - '0');
    if (id.sequence.value > (UINT64_MAX - digit) / 10) return std::nullopt;
    id.sequence.value = id.sequence.value * 10 + digit;
  }
  id.target = text.substr(0, hyphen);
  return id;
}

Result<std::unique_ptr<DeadLetters>> OpenDeadLetters(JournalState& state) {
  auto letters = std::make_unique<DurableDeadLetters>(state);
  if (auto loaded = letters->Load(); !loaded) return tl::unexpected(loaded.error());
  return std::unique_ptr<DeadLetters>(std::move(letters));
}

DeadLetterWriter& WriterOf(DeadLetters& letters) {
  return static_cast<DurableDeadLetters&>(letters);
}

}  // namespace spool
