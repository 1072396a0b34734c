#include "net/request_reader.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace spool::net {
namespace {

constexpr size_t kHeadReadBytes = 16 << 10;
constexpr size_t kChunkedReadBytes = 64 << 10;
constexpr size_t kBodyReadBytes = 256 << 10;
// What each connection has free for bytes that wait, and again for the head of its request: enough
// for ordinary ones. What is beyond is paid for, or many connections would hold any
// amount of memory.
constexpr size_t kFreeHeadBytes = 4 << 10;
// What a field takes beside its bytes once the head is taken apart.
constexpr size_t kFieldBytes = 96;
// What remains of a refused body up to here is read and forgotten, so that the client keeps its
// connection; beyond it closing is cheaper.
constexpr uint64_t kDiscardBytesMax = 1 << 20;
// Below this the ratio is not looked at: any text has a few repeated lines.
constexpr size_t kRatioFreeBytes = 64 << 10;

}  // namespace

RequestReader::RequestReader(const HttpLimits& limits, std::shared_ptr<ByteBudget> budget)
    : limits_(limits),
      budget_(std::move(budget)),
      // What can never fit is too large, not "busy".
      body_bytes_max_(
          std::min({limits.body_bytes, limits.in_flight_bytes, budget_->limit(Claim::kLargeBody)})),
      large_body_bytes_(std::min(limits.large_body_bytes, limits.in_flight_bytes / 4)),
      permit_(budget_),
      head_permit_(budget_),
      waiting_permit_(budget_) {}

void RequestReader::Introduce(std::string peer, std::shared_ptr<const TlsClient> client,
                              const HttpHooks& hooks) {
  peer_ = std::move(peer);
  client_ = std::move(client);
  hooks_ = &hooks;
}

size_t RequestReader::ReadHint() const {
  if (phase_ != Phase::kBody) return kHeadReadBytes;
  if (head_.chunked) return kChunkedReadBytes;
  return static_cast<size_t>(std::min<uint64_t>(kBodyReadBytes, std::max<uint64_t>(wire_left_, 1)));
}

RequestReader::State RequestReader::Feed(std::string_view data) {
  SPOOL_ASSERT(phase_ != Phase::kDone);
  // The common case works on the caller's buffer; only a rest is copied.
  const bool buffered = !in_.empty();
  if (buffered) in_.append(data);
  std::string_view view = buffered ? std::string_view(in_) : data;
  const size_t before = view.size();
  const State state = Step(&view);
  if (buffered) {
    in_.erase(0, before - view.size());
  } else {
    in_.assign(view);
  }
  return PayForWaiting(state);
}

RequestReader::State RequestReader::PayForWaiting(State state) {
  const bool over = state == State::kRefused && !keep_alive_;  // nobody will read what waits
  if ((in_.empty() && in_.capacity() > kFreeHeadBytes) || over) std::string().swap(in_);
  const size_t beyond = in_.capacity() - std::min(in_.capacity(), kFreeHeadBytes);
  waiting_permit_.Shrink(beyond);
  // The next requests of a whole one may have what is left for whole ones.
  const Claim claim = state == State::kReady ? Claim::kMade : Claim::kHead;
  if (waiting_permit_.Grow(beyond, claim)) return state;
  std::string().swap(in_);
  waiting_permit_.Release();
  head_.framed = false;
  if (state != State::kRefused) return Shed();
  keep_alive_ = whole_ = discarding_ = false;  // it has its answer; what follows is lost
  return state;
}

RequestReader::State RequestReader::Step(std::string_view* in) {
  if (discarding_) {
    const auto over = static_cast<size_t>(std::min<uint64_t>(wire_left_, in->size()));
    in->remove_prefix(over);
    wire_left_ -= over;
    if (wire_left_ > 0) return State::kMore;
    Forget();
  }
  if (phase_ == Phase::kIdle || phase_ == Phase::kHead) {
    const State state = ReadHead(in);
    if (state != State::kMore || phase_ != Phase::kBody) return state;
  }
  return ReadBody(in);
}

RequestReader::State RequestReader::ReadHead(std::string_view* in) {
  // One empty line before a request is forgiven (RFC 9112 2.2).
  if (phase_ == Phase::kIdle && !skipped_empty_line_ && in->starts_with("\r\n")) {
    in->remove_prefix(2);
    skipped_empty_line_ = true;
  }
  if (in->empty()) return State::kMore;
  if (phase_ == Phase::kIdle && *in == "\r") return State::kMore;
  phase_ = Phase::kHead;
  const auto outcome = scanner_.Scan(in->substr(0, limits_.header_bytes));
  if (outcome == HeadScanner::Outcome::kBad) {
    return Refuse(Problem(400, "bad_request", scanner_.why()));
  }
  if (outcome == HeadScanner::Outcome::kMore) {
    if (in->size() < limits_.header_bytes) return State::kMore;
    return Refuse(Problem(431, "header_too_large", "The request's head is over the limit."));
  }
  const size_t parsed = scanner_.length() + kFieldBytes * scanner_.lines();
  if (parsed > kFreeHeadBytes && !head_permit_.Grow(parsed - kFreeHeadBytes, Claim::kHead)) {
    return Shed();
  }
  auto refusal = ParseHead(in->substr(0, scanner_.length()), &head_);
  in->remove_prefix(scanner_.length());
  keep_alive_ = head_.keep_alive;
  head_only_ = head_.request.method == "HEAD";
  wire_left_ = head_.content_length;
  if (refusal) return Refuse(*std::move(refusal));
  head_.request.peer = peer_;
  head_.request.client = client_;
  if (hooks_ != nullptr && hooks_->admit) refusal = hooks_->admit(head_.request);
  if (refusal) return Refuse(*std::move(refusal));
  is_urgent_ = hooks_ != nullptr && hooks_->urgent && hooks_->urgent(head_.request);
  const State state = BeginBody();
  if (state == State::kContinue && !in->empty()) return State::kMore;  // the client did not wait
  return state;
}

// Decides whether the body may come in, as far as the head tells.
RequestReader::State RequestReader::BeginBody() {
  if (!head_.has_body || (!head_.chunked && wire_left_ == 0 && head_.coding == Coding::kIdentity)) {
    return FinishBody();
  }
  if (wire_left_ > body_bytes_max_) return Refuse(TooLarge());
  // Nothing is reserved yet: permits are for bytes that are here, so that a promise of many bytes
  // holds nobody up. But what has no chance is told so before it is sent.
  const auto length = static_cast<size_t>(wire_left_);
  if (!budget_->Fits(std::max<size_t>(length, 1), ClaimOf(length))) return Shed();
  if (head_.coding != Coding::kIdentity) decoder_ = BodyDecoder::Create(head_.coding);
  phase_ = Phase::kBody;
  // Nobody is invited to send nothing: what is there already (no byte) is the whole body.
  const bool more = head_.chunked || wire_left_ > 0;
  return head_.expect_continue && more ? State::kContinue : State::kMore;
}

RequestReader::State RequestReader::ReadBody(std::string_view* in) {
  return head_.chunked ? ReadChunks(in) : ReadPlain(in);
}

RequestReader::State RequestReader::ReadPlain(std::string_view* in) {
  const auto take = static_cast<size_t>(std::min<uint64_t>(wire_left_, in->size()));
  const std::string_view piece = in->substr(0, take);
  in->remove_prefix(take);
  wire_left_ -= take;
  if (!TakeEncoded(piece)) return Refuse(*std::exchange(refusal_, std::nullopt));
  return wire_left_ > 0 ? State::kMore : FinishBody();
}

RequestReader::State RequestReader::ReadChunks(std::string_view* in) {
  while (true) {
    std::string_view piece;
    switch (chunks_.Next(in, &piece)) {
      case ChunkedDecoder::Outcome::kMore: return State::kMore;
      case ChunkedDecoder::Outcome::kPiece:
        // The chunk's own claim counts, so a too large one is refused before it is read.
        if (wire_read_ + piece.size() + chunks_.chunk_left() > body_bytes_max_) {
          return Refuse(TooLarge());
        }
        if (!TakeEncoded(piece)) return Refuse(*std::exchange(refusal_, std::nullopt));
        break;
      case ChunkedDecoder::Outcome::kDone: return FinishBody();
      case ChunkedDecoder::Outcome::kBad:
        head_.framed = false;
        return Refuse(Problem(400, "bad_request", "The chunked coding of the body is broken."));
    }
  }
}

RequestReader::State RequestReader::FinishBody() {
  if (decoder_ && !decoder_->Complete()) {
    return Refuse(Problem(400, "bad_request", "The compressed body is cut short."));
  }
  if (decoder_) {
    decoder_.reset();
    permit_.Shrink(room_);
  }
  phase_ = Phase::kDone;
  return State::kReady;
}

RequestReader::State RequestReader::Refuse(HttpResponse refusal) {
  decoder_.reset();
  std::string().swap(head_.request.body);
  if (hooks_ != nullptr && hooks_->reword && !head_.request.path.empty()) {
    refusal = hooks_->reword(head_.request, std::move(refusal));
  }
  decltype(head_.request.headers)().swap(head_.request.headers);
  permit_.Release();
  head_permit_.Release();
  refusal_ = std::move(refusal);
  // With Expect the client may or may not send the body, so nothing can be said of what follows.
  keep_alive_ = keep_alive_ && head_.framed && !head_.chunked && !head_.expect_continue &&
                wire_left_ <= kDiscardBytesMax;
  discarding_ = keep_alive_ && wire_left_ > 0;
  whole_ = keep_alive_;
  phase_ = Phase::kDone;
  return State::kRefused;
}

void RequestReader::Abandon(HttpResponse refusal) {
  head_.framed = false;
  Refuse(std::move(refusal));
}

RequestReader::State RequestReader::Shed() {
  return Refuse(Problem(503, "overloaded", "Too many bytes of requests are in memory.", -1, 1));
}

HttpResponse RequestReader::TooLarge() const {
  return Problem(413, "body_too_large",
                 "The body is over the limit of " + std::to_string(body_bytes_max_) + " bytes.");
}

bool RequestReader::Fail(HttpResponse refusal) {
  refusal_ = std::move(refusal);
  return false;
}

bool RequestReader::TakeEncoded(std::string_view piece) {
  wire_read_ += piece.size();
  if (!decoder_) return Append(piece);
  switch (decoder_->Feed(piece, *this)) {
    case BodyDecoder::Outcome::kOk: return true;
    case BodyDecoder::Outcome::kCorrupt:
      return Fail(Problem(400, "bad_request", "The compressed body is damaged."));
    case BodyDecoder::Outcome::kTooLarge:
      return Fail(Problem(413, "body_too_large", "The compressed body needs too large a window."));
    case BodyDecoder::Outcome::kRefused:
      if (refusal_) return false;
      break;
  }
  return Fail(Problem(503, "overloaded", "There is no memory to decompress the body.", -1, 1));
}

bool RequestReader::AdmitDecoder(size_t bytes) {
  // The head of a large body's length need not tell: it is compressed.
  const Claim claim = permit_.large() ? Claim::kLargeBody : ClaimOf(0);
  if (bytes > budget_->limit(claim)) return Fail(TooLarge());
  if (!permit_.Grow(room_ + bytes, claim)) {
    return Fail(Problem(503, "overloaded", "Too many bytes of requests are in memory.", -1, 1));
  }
  decoder_bytes_ = bytes;
  return true;
}

bool RequestReader::TakeDecoded(std::string_view piece, size_t consumed) {
  const size_t size = head_.request.body.size() + piece.size();
  if (size > kRatioFreeBytes && size / limits_.ratio_max > consumed) {
    return Fail(Problem(413, "body_too_large", "The body expands beyond the allowed ratio."));
  }
  return Append(piece);
}

bool RequestReader::Append(std::string_view piece) {
  const size_t need = head_.request.body.size() + piece.size();
  if (need > room_ && !MakeRoom(need)) return false;
  head_.request.body.append(piece);
  return true;
}

// Permits first, memory second. Grows in leaps paid for by what has arrived already: whatever was
// promised, a client that goes silent holds at most twice what it sent.
bool RequestReader::MakeRoom(size_t need) {
  if (need > body_bytes_max_ || need + decoder_bytes_ > budget_->limit(ClaimOf(need))) {
    return Fail(TooLarge());
  }
  size_t want = std::max<size_t>(4 << 10, 2 * need);
  if (!head_.chunked && head_.coding == Coding::kIdentity) {
    want = std::min(want, static_cast<size_t>(head_.content_length));
  }
  want = std::min(want, body_bytes_max_);
  // The leap alone must not make a body large.
  if (need <= large_body_bytes_) want = std::min(want, large_body_bytes_);
  if (!permit_.Grow(want + decoder_bytes_, ClaimOf(want))) want = need;
  if (!permit_.Grow(want + decoder_bytes_, ClaimOf(want))) {
    return Fail(Problem(503, "overloaded", "Too many bytes of requests are in memory.", -1, 1));
  }
  head_.request.body.reserve(want);
  room_ = want;
  return true;
}

void RequestReader::Next() {
  if (!discarding_) return Forget();
  const uint64_t rest = wire_left_;
  Forget();
  discarding_ = true;
  wire_left_ = rest;
  phase_ = Phase::kBody;
}

void RequestReader::Forget() {
  phase_ = Phase::kIdle;
  scanner_ = HeadScanner();
  head_ = RequestHead();
  chunks_ = ChunkedDecoder();
  decoder_.reset();
  permit_.Release();
  head_permit_.Release();
  refusal_.reset();
  wire_left_ = wire_read_ = 0;
  room_ = decoder_bytes_ = 0;
  skipped_empty_line_ = is_urgent_ = discarding_ = keep_alive_ = head_only_ = false;
  whole_ = true;
}

}  // namespace spool::net
