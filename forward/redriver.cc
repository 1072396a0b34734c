#include "forward/redriver.h"

#include "forward/envelope.h"

namespace spool {
namespace {

constexpr size_t kWantedMax = 16;  // in memory at a time; each holds its event
constexpr uint32_t kTriesMax = 5;  // without an answer, before the letter is put back
constexpr size_t kExcerptMax = 1024;

// An answer for a letter that is gone: an operator dropped it meanwhile.
Status UnlessGone(Status status) {
  if (!status && status.error().code == Code::kNotFound) return {};
  return status;
}

}  // namespace

std::string Describe(const Outcome& outcome) {
  std::string text = outcome.code.empty() ? "no_answer" : outcome.code;
  if (!outcome.excerpt.empty()) text += ": " + PrintableExcerpt(outcome.excerpt);
  return text;
}

std::string PrintableExcerpt(std::string_view text) {
  if (text.size() > kExcerptMax) {
    size_t cut = kExcerptMax;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
    text = text.substr(0, cut);
  }
  std::string out(text);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = ' ';
  }
  return out;
}

Result<bool> Redriver::Due(SteadyTime now) {
  if (now < not_before_) return false;
  for (; next_ < wanted_.size(); ++next_) {
    // An operator may have dropped it since it was read, or taken the wish back.
    auto letter = letters_.Get(wanted_[next_].id);
    if (!letter && letter.error().code != Code::kNotFound) return tl::unexpected(letter.error());
    if (letter && letter->retry_wanted) {
      wanted_[next_] = std::move(*letter);
      return true;
    }
    failures_ = 0;
    Look();
  }
  if (!look_.exchange(false, std::memory_order_acq_rel)) return false;
  wanted_.clear();
  next_ = 0;
  auto wanted = letters_.Wanted(target_, kWantedMax);
  if (!wanted) return tl::unexpected(wanted.error());
  wanted_ = std::move(*wanted);
  return !wanted_.empty();
}

Status Redriver::Attempt(const Clock& clock, Millis attempt_deadline, std::stop_token stop,
                         std::string* last_error, std::optional<bool>* settled) {
  DeadLetter& letter = wanted_[next_];
  Outcome outcome;
  if (const auto view = letter.View(); !view) {
    outcome.verdict = Verdict::kReject;
    outcome.code = "damaged";
    outcome.excerpt = view.error().message;
  } else {
    Message message;
    message.event = &*view;
    message.replay = letter.id.replay;
    if (sink_.encoding() == Encoding::kCloudEvent) {
      body_.clear();
      AppendCloudEvent(body_, *view, letter.id.replay);
      message.body = body_;
    }
    sink_.Deliver({&message, 1}, {&outcome, 1}, clock.Steady() + attempt_deadline, stop);
  }
  const bool arrived =
      outcome.verdict == Verdict::kDelivered || outcome.verdict == Verdict::kDuplicate;
  if (!arrived) *last_error = Describe(outcome);

  const bool no_answer = outcome.verdict == Verdict::kRetry || outcome.verdict == Verdict::kHold;
  if (no_answer) {
    if (stop.stop_requested()) return {};
    not_before_ =
        clock.Steady() +
        (outcome.verdict == Verdict::kHold ? backoff_.Hold() : backoff_.Next(outcome.retry_after));
    if (outcome.verdict == Verdict::kHold) {
      // The wish stands, however long it takes; the next one may have more luck.
      Pass();
      return {};
    }
    if (++failures_ < kTriesMax) return {};
  } else {
    backoff_.Reset();
  }
  *settled = arrived;
  Status status = Settle(letter, outcome, clock.Now());
  Pass();
  return status;
}

void Redriver::Pass() {
  failures_ = 0;
  wanted_[next_] = DeadLetter();  // lets go of the event
  if (++next_ == wanted_.size()) Look();
}

Status Redriver::Settle(DeadLetter& letter, const Outcome& outcome, SystemTime now) {
  if (outcome.verdict == Verdict::kDelivered || outcome.verdict == Verdict::kDuplicate) {
    return UnlessGone(cursor_.Redeem(letter.id));
  }
  letter.code = outcome.code;
  letter.excerpt = PrintableExcerpt(outcome.excerpt);
  letter.attempts += 1;
  letter.last_failed = now;
  letter.retry_wanted = false;
  return UnlessGone(letters_.FailedAgain(letter));
}

}  // namespace spool
