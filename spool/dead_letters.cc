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

}  // namespace

std::string EncodeDeadLetter(const DeadLetter& letter) {
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

Result<DeadLetter> DecodeDeadLetter(std::string_view bytes) {
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

namespace {

// In the default family: that every target has its totals, one target's, and a wish for a retry.
constexpr std::string_view kCounted = "d";
std::string TotalKey(std::string_view target) { return "d/" + std::string(target); }
std::string WishKey(const DeadLetterId& id) { return "w/" + KeyOf(id); }

class DurableDeadLetters final : public DeadLetters, public DeadLetterWriter {
 public:
  explicit DurableDeadLetters(JournalState& state) : state_(state) {}

  // Reads the totals, so that a start does not read every letter. A repair takes them away: then
  // it does, once.
  Status Load() {
    auto counted = state_.store->Get(state_.meta, kCounted);
    if (!counted) return tl::unexpected(counted.error());
    counted_ = counted->has_value();
    return counted_ ? LoadTotals() : CountAll();
  }

  Status Keep() {
    if (counted_) return {};
    StoreBatch batch;
    batch.Put(state_.meta, kCounted, "1");
    for (const auto& [target, total] : totals_) {
      batch.Put(state_.meta, TotalKey(target), EncodeTotal(total));
    }
    counted_ = true;
    return state_.Write(batch, true);
  }

  bool HasRoom(std::string_view target) const override {
    if (state_.volume->room() == Room::kNone) return false;
    std::lock_guard lock(mutex_);
    const auto found = totals_.find(target);
    return found == totals_.end() || (found->second.count < state_.options.dead_letters_max &&
                                      found->second.bytes < state_.options.dead_letter_bytes_max);
  }

  Result<std::vector<DeadLetter>> List(std::string_view target,
                                       const std::optional<DeadLetterId>& after,
                                       size_t limit) const override {
    std::vector<DeadLetter> letters;
    const auto it = state_.store->NewIterator(state_.dead);
    const std::string prefix = PrefixOf(target);
    it->Seek(after ? KeyOf(*after) + '\0' : prefix);
    for (; it->Valid() && letters.size() < limit; it->Next()) {
      if (it->key().substr(0, prefix.size()) != prefix) break;
      auto letter = DecodeDeadLetter(it->value());
      if (!letter) return tl::unexpected(letter.error());
      letters.push_back(std::move(*letter));
    }
    if (auto status = it->status(); !status) return tl::unexpected(status.error());
    return letters;
  }

  Result<DeadLetter> Get(const DeadLetterId& id) const override {
    auto got = state_.store->Get(state_.dead, KeyOf(id));
    if (!got) return tl::unexpected(got.error());
    if (!*got) return Fail(Code::kNotFound, "there is no dead letter '" + ToText(id) + "'");
    return DecodeDeadLetter(**got);
  }

  Status WantRetry(const DeadLetterId& id) override {
    const auto exclusive = Exclusive();
    auto letter = Get(id);
    if (!letter) return tl::unexpected(letter.error());
    if (letter->retry_wanted) return {};
    DeadLetter wanted = *letter;
    wanted.retry_wanted = true;
    return Replace(*letter, wanted);
  }

  Status FailedAgain(const DeadLetter& letter) override {
    const auto exclusive = Exclusive();
    auto old = Get(letter.id);
    if (!old) return tl::unexpected(old.error());
    return Replace(*old, letter);
  }

  Result<std::vector<DeadLetter>> Wanted(std::string_view target, size_t limit) const override {
    std::vector<DeadLetter> letters;
    const auto it = state_.store->NewIterator(state_.meta);
    const std::string prefix = "w/" + PrefixOf(target);
    for (it->Seek(prefix); it->Valid() && letters.size() < limit; it->Next()) {
      if (it->key().substr(0, prefix.size()) != prefix) break;
      auto got = state_.store->Get(state_.dead, it->key().substr(2));
      if (!got) return tl::unexpected(got.error());
      if (!*got) continue;  // the letter was lost with a damaged file, its wish was not
      auto letter = DecodeDeadLetter(**got);
      if (!letter) return tl::unexpected(letter.error());
      letters.push_back(std::move(*letter));
    }
    if (auto status = it->status(); !status) return tl::unexpected(status.error());
    return letters;
  }

  Status Drop(const DeadLetterId& id) override {
    const auto exclusive = Exclusive();
    StoreBatch batch;
    if (auto letter = RemoveFrom(batch, id); !letter) return tl::unexpected(letter.error());
    if (auto written = state_.Write(batch, true); !written) return written;
    Written();
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

  std::unique_lock<std::mutex> Exclusive() override {
    std::unique_lock lock(writes_);
    changed_.clear();
    return lock;
  }
  void AddTo(StoreBatch& batch, const std::vector<DeadLetter>& letters) override {
    for (const DeadLetter& letter : letters) {
      // A target that was removed and begins anew may meet its old letters again.
      if (const auto old = Get(letter.id)) Count(*old, -1);
      Count(letter, +1);
      batch.Put(state_.dead, KeyOf(letter.id), EncodeDeadLetter(letter));
      if (!letter.retry_wanted) batch.Delete(state_.meta, WishKey(letter.id));
    }
    PutTotals(batch);
  }
  Result<DeadLetter> RemoveFrom(StoreBatch& batch, const DeadLetterId& id) override {
    auto letter = Get(id);
    if (!letter) return letter;
    Count(*letter, -1);
    batch.Delete(state_.dead, KeyOf(id));
    batch.Delete(state_.meta, WishKey(id));
    PutTotals(batch);
    return letter;
  }
  void Written() override {
    std::lock_guard lock(mutex_);
    for (auto& [target, total] : changed_) totals_[target] = total;
    changed_.clear();
  }

 private:
  struct Total {
    uint64_t count = 0;
    uint64_t bytes = 0;
  };
  using TotalMap = std::map<std::string, Total, std::less<>>;

  static std::string PrefixOf(std::string_view target) {
    return target.empty() ? "" : std::string(target) + '\0';
  }
  static std::string EncodeTotal(const Total& total) {
    std::string out;
    codec::PutVarint(out, total.count);
    codec::PutVarint(out, total.bytes);
    return out;
  }

  Status LoadTotals() {
    const auto it = state_.store->NewIterator(state_.meta);
    for (it->Seek("d/"); it->Valid() && it->key().substr(0, 2) == "d/"; it->Next()) {
      codec::Parser in(it->value());
      Total& total = totals_[std::string(it->key().substr(2))];
      total.count = in.Varint();
      total.bytes = in.Varint();
      if (!in.ok()) return Fail(Code::kDamaged, "the totals of dead letters are damaged");
    }
    return it->status();
  }
  Status CountAll() {
    const auto it = state_.store->NewIterator(state_.dead);
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      auto letter = DecodeDeadLetter(it->value());
      if (!letter) return tl::unexpected(letter.error());
      Total& total = totals_[letter->id.target];
      ++total.count;
      total.bytes += SizeOf(*letter);
    }
    return it->status();
  }
  static uint64_t SizeOf(const DeadLetter& letter) {
    return letter.record.size() + letter.excerpt.size();
  }

  // Exclusive is held.
  Status Replace(const DeadLetter& old, const DeadLetter& letter) {
    StoreBatch batch;
    Count(old, -1);
    Count(letter, +1);
    PutTotals(batch);
    batch.Put(state_.dead, KeyOf(letter.id), EncodeDeadLetter(letter));
    if (letter.retry_wanted) {
      batch.Put(state_.meta, WishKey(letter.id), "");
    } else {
      batch.Delete(state_.meta, WishKey(letter.id));
    }
    if (auto written = state_.Write(batch, true); !written) return written;
    Written();
    return {};
  }

  // What the totals will be once the batch is written. writes_ is held.
  void Count(const DeadLetter& letter, int by) {
    const std::string& target = letter.id.target;
    auto at = changed_.find(target);
    if (at == changed_.end()) {
      std::lock_guard lock(mutex_);
      const auto known = totals_.find(target);
      at = changed_.emplace(target, known == totals_.end() ? Total{} : known->second).first;
    }
    at->second.count += by;
    at->second.bytes += by * static_cast<int64_t>(SizeOf(letter));
  }
  void PutTotals(StoreBatch& batch) const {
    for (const auto& [target, total] : changed_) {
      batch.Put(state_.meta, TotalKey(target), EncodeTotal(total));
    }
  }

  JournalState& state_;
  bool counted_ = false;
  std::mutex writes_;  // one change of letters at a time
  TotalMap changed_;   // guarded by writes_: as they will be after the batch under way
  mutable std::mutex mutex_;
  TotalMap totals_;  // guarded by mutex_
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

Status KeepDeadLetterTotals(DeadLetters& letters) {
  return static_cast<DurableDeadLetters&>(letters).Keep();
}

DeadLetterWriter& WriterOf(DeadLetters& letters) {
  return static_cast<DurableDeadLetters&>(letters);
}

}  // namespace spool
