// One connection's requests, made from bytes: no sockets, no clock, so that tests and fuzzers can
// drive it byte by byte.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/body_decoder.h"
#include "net/byte_budget.h"
#include "net/chunked.h"
#include "net/http_head.h"
#include "net/http_server.h"

namespace spool::net {

// One thread at a time.
class RequestReader final : private BodyDecoder::Host {
 public:
  // `limits` must outlive the reader.
  RequestReader(const HttpLimits& limits, std::shared_ptr<ByteBudget> budget);

  // Who sends: told of in each request from now on, and who may send is asked at each head. `hooks`
  // must outlive the reader.
  void Introduce(std::string peer, std::shared_ptr<const TlsClient> client, const HttpHooks& hooks);

  enum class State {
    kMore,      // give more bytes
    kContinue,  // the body is admitted: send 100 Continue, then Feed({}) to go on
    kReady,     // TakeRequest and TakePermit
    kRefused,   // TakeRefusal; keep_alive() tells whether the connection survives
  };
  enum class Phase { kIdle, kHead, kBody, kDone };

  // Takes all of `data`; what belongs to the next request is kept for it (at most one Feed's
  // worth, so feed at most ReadHint() bytes). Not after kReady or kRefused before Next.
  State Feed(std::string_view data);
  // Gives the request under way up, for that reason: its time is over. The connection cannot go on
  // after it. Then TakeRefusal.
  void Abandon(HttpResponse refusal);
  // Forgets the request that was answered. Then Feed({}) if has_buffered(). What is still to come
  // of a refused body is read over first.
  void Next();
  // Reading over the rest of a refused body: its request is answered, the next has not begun.
  bool discarding() const { return discarding_ && phase_ == Phase::kBody; }

  Phase phase() const { return phase_; }
  bool has_buffered() const { return !in_.empty(); }
  // How many bytes to read at once: little while a head is expected, never past a body's end.
  size_t ReadHint() const;

  HttpRequest TakeRequest() { return std::move(head_.request); }
  BytePermit TakePermit() { return std::move(permit_); }
  // Of a head that is larger than what each connection has free.
  BytePermit TakeHeadPermit() { return std::move(head_permit_); }
  HttpResponse TakeRefusal() { return *std::move(refusal_); }
  bool keep_alive() const { return keep_alive_; }
  // False when a refused request was not read to its end, so more of it may come.
  bool whole() const { return whole_; }
  bool http_1_0() const { return head_.http_1_0; }
  bool head_only() const { return head_only_; }

 private:
  State Step(std::string_view* in);
  State ReadHead(std::string_view* in);
  State BeginBody();
  State ReadBody(std::string_view* in);
  State ReadPlain(std::string_view* in);
  State ReadChunks(std::string_view* in);
  State FinishBody();
  void Forget();
  State Refuse(HttpResponse refusal);
  State Shed();
  // After each Feed: pays for what waits in the buffer, or gives the request up.
  State PayForWaiting(State state);
  // Body bytes as they came off the wire. False: refusal_ says why.
  bool TakeEncoded(std::string_view piece);
  bool Append(std::string_view piece);
  bool MakeRoom(size_t need);
  bool AdmitDecoder(size_t bytes) override;
  bool TakeDecoded(std::string_view piece, size_t consumed) override;
  bool Fail(HttpResponse refusal);
  HttpResponse TooLarge() const;

  const HttpLimits& limits_;
  const std::shared_ptr<ByteBudget> budget_;
  const size_t body_bytes_max_;
  const size_t large_body_bytes_;  // above it a body needs the large place
  Claim ClaimOf(size_t bytes) const {
    return bytes > large_body_bytes_ ? Claim::kLargeBody
           : is_urgent_              ? Claim::kUrgentBody
                                     : Claim::kBody;
  }

  std::string peer_;
  std::shared_ptr<const TlsClient> client_;
  const HttpHooks* hooks_ = nullptr;
  std::string in_;  // bytes that wait for more, or for the next request
  Phase phase_ = Phase::kIdle;
  HeadScanner scanner_;
  RequestHead head_;
  ChunkedDecoder chunks_;
  std::unique_ptr<BodyDecoder> decoder_;
  BytePermit permit_;          // of the body
  BytePermit head_permit_;     // of the head that was taken apart
  BytePermit waiting_permit_;  // of in_
  std::optional<HttpResponse> refusal_;
  uint64_t wire_left_ = 0;  // of a body with a length
  uint64_t wire_read_ = 0;  // encoded bytes of the body so far
  size_t room_ = 0;         // body bytes the permit pays for
  size_t decoder_bytes_ = 0;
  bool skipped_empty_line_ = false;
  bool is_urgent_ = false;
  bool discarding_ = false;  // refused, but the rest can be read over to keep the connection
  bool keep_alive_ = false;
  bool head_only_ = false;
  bool whole_ = true;
};

}  // namespace spool::net
