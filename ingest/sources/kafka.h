// The source that fetches from Kafka as a member of a consumer group, which several spools may
// share. An offset is committed only when the events before it are on stable storage; before a
// partition goes to another member, what was fetched of it is stored and committed.
//
// What was stored and not committed when the process ended comes again. Where it ends is stored
// with it, and so it is passed over.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "ingest/sources/pulled.h"
#include "ingest/sources/settings.h"

namespace spool {

class KafkaSource final : public PulledSource {
 public:
  static constexpr std::string_view kExpired = "expired";  // retention took what was not fetched

  KafkaSource(KafkaSourceSettings settings, IntakeOptions options, Journal& journal);
  ~KafkaSource() override;

  bool keeps_place() const override { return true; }
  std::span<const std::string_view> own_gaps() const override;

 private:
  class Client;  // the library's part, and what it calls back
  struct Place {
    int64_t first = -1;   // from here to `next` may be stored and not committed
    int64_t next = -1;    // all before is stored, or on its way
    int64_t stored = -1;  // all before is stored
    SystemTime seen;      // when the last message came
  };
  using Partition = std::pair<std::string, int32_t>;

  Status Prepare() override;
  void Run(std::stop_token stop) override;

  void Assigned(Client& client);
  void Revoked(Client& client);
  void Add(Client& client, const Partition& partition, int64_t offset, Fetched message);
  // What was gathered so far. False: it is to stop.
  bool PutGathered(Client& client);
  std::string KeyOf(const Partition& partition) const;

  const KafkaSourceSettings settings_;
  IntakeLane lane_;
  std::stop_token stop_;  // Run's
  // The thread's.
  std::map<Partition, Place> places_;  // of what is assigned to it
  Batch gathered_;
  std::map<Partition, int64_t> ends_;  // of what is gathered
  size_t gathered_bytes_ = 0;
};

}  // namespace spool
