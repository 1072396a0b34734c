// A producer's request: any body at any path is refused or becomes events that can be read back.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "ingest/decode.h"
#include "spool/event.h"

namespace spool {
namespace {

constexpr std::string_view kPaths[] = {
    "/v1/events",  "/events",    "/audit",     "/webhook", "/botkube",           "/falco",
    "/gatekeeper", "/kubearmor", "/fluentbit", "/v1/logs", "/admission/mutating"};
constexpr std::string_view kTypes[] = {"application/json",
                                       "application/x-ndjson",
                                       "application/cloudevents+json",
                                       "application/cloudevents-batch+json",
                                       "text/plain",
                                       "",
                                       "application/msgpack",
                                       "application/x-protobuf"};

Decoder& TheDecoder() {
  static Decoder* decoder = new Decoder([] {
    DecodeOptions options;
    options.cluster = "fuzz";
    options.limits.records_max = 1'000;
    options.limits.record_bytes_max = size_t{64} << 10;
    options.stream = [](std::string_view name) {
      return StreamId{static_cast<uint8_t>(name.size() % kStreamsMax)};
    };
    return options;
  }());
  return *decoder;
}

void Check(const std::vector<Event>& events) {
  for (const Event& event : events) {
    const Result<EventView> view = DecodeRecord(event.record);
    SPOOL_ASSERT(view.has_value() && view->id == event.id);
  }
}

}  // namespace
}  // namespace spool

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spool;  // NOLINT(google-build-using-namespace)
  if (size < 2) return 0;
  static const std::vector<std::pair<std::string, std::string>> headers = {
      {"content-type", "application/json"},
      {"ce-specversion", "1.0"},
      {"ce-id", "1"},
      {"ce-source", "/fuzz"},
      {"ce-type", "fuzz.v1"},
  };
  Incoming incoming;
  incoming.path = kPaths[data[0] % std::size(kPaths)];
  incoming.content_type = kTypes[data[1] % std::size(kTypes)];
  if ((data[0] & 0x80) != 0) incoming.headers = &headers;
  if ((data[1] & 0x80) != 0) incoming.idempotency_key = "key";
  incoming.received = FromMicros(1'795'155'074'402'113);
  // A copy of its own, so that a read past its end is seen.
  const std::string body(reinterpret_cast<const char*>(data) + 2, size - 2);
  incoming.body = body;
  std::vector<Event> quarantine;
  const auto decoded = TheDecoder().Decode(incoming, &quarantine);
  Check(quarantine);
  if (decoded) {
    Check(decoded->events);
    SPOOL_ASSERT(decoded->quarantined <= decoded->events.size());
  } else {
    SPOOL_ASSERT(decoded.error().status >= 400 && !decoded.error().code.empty());
  }
  return 0;
}
