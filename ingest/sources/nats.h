// The source that fetches from NATS JetStream: a durable pull consumer, which several spools may
// share. A message is acknowledged only when its events are on stable storage.
//
// What was stored and whose acknowledgement the server has not had when the process ended comes
// again. It is known then by its number in the stream, which is stored with its events, and within
// the horizon of the journal by its identity; so it is not stored twice.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "ingest/sources/pulled.h"
#include "ingest/sources/settings.h"

namespace spool {

// Numbers in a stream: of messages that are stored and perhaps not acknowledged. "1-3 7 9-12", and
// back; empty when it is no such text.
std::string EncodeSequences(std::vector<uint64_t> numbers);
std::optional<std::vector<uint64_t>> DecodeSequences(std::string_view text);

class NatsSource final : public PulledSource {
 public:
  static constexpr std::string_view kExpired =
      "expired";  // the stream gave up what was not fetched

  NatsSource(NatsSourceSettings settings, IntakeOptions options, Journal& journal);
  ~NatsSource() override;

  bool keeps_place() const override { return true; }
  std::span<const std::string_view> own_gaps() const override;

 private:
  class Link;
  struct Taken;

  Status Prepare() override;
  void Run(std::stop_token stop) override;
  // Until the connection is lost or it is to stop.
  void Fetch(const std::shared_ptr<Link>& link, const std::stop_token& stop);
  void Look(const Link& link);
  std::string KeyOf() const;

  const NatsSourceSettings settings_;
  IntakeLane lane_;
  // The thread's. Numbers of the last two batches, and which of these are stored: their
  // acknowledgements may be on their way.
  std::vector<uint64_t> before_last_, last_;
  std::unordered_set<uint64_t> stored_;
  uint64_t created_ = 0;       // when the stream was made, by which it is known
  uint64_t told_expired_ = 0;  // the first number of the stream when a gap was told
};

}  // namespace spool
