// How fast do request bodies become events? One core; what it prints is events a second.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "ingest/decode.h"
#include "ingest/json_scan.h"

namespace spool {
namespace {

// A kubelet's event as the API server stores it: 946 bytes.
std::string K8sEvent(int i) {
  std::string n = std::to_string(100'000 + i);
  std::string event =
      R"({"kind":"Event","apiVersion":"v1","metadata":{"name":"api-7c9d8f6b5-x2x4z.18b2c5d6e7)" +
      n + R"(","namespace":"payments","uid":"9c0f1b1e-0000-4000-8000-000000)" + n +
      R"(","resourceVersion":"5)" + n +
      R"(","creationTimestamp":"2026-03-14T09:20:00Z"},"involvedObject":{"kind":"Pod","namespace":"payments",)"
      R"("name":"api-7c9d8f6b5-x2x4z","uid":"d5cd8257-e28a-4e64-8b29-6358309d7196","apiVersion":"v1",)"
      R"("resourceVersion":"177159","fieldPath":"spec.containers{api}"},"reason":"Unhealthy","message":)"
      R"("Readiness probe failed: Get \"http://10.42.3.17:8080/healthz\": context deadline exceeded)"
      R"x( (Client.Timeout exceeded while awaiting headers)","source":{"component":"kubelet","host":"worker-1"},)x"
      R"("firstTimestamp":"2026-03-14T09:20:00Z","lastTimestamp":"2026-03-14T09:26:53Z","count":42,)"
      R"("type":"Warning","eventTime":null,"reportingComponent":"kubelet","reportingInstance":"worker-1")";
  event += R"(,"action":")" + std::string(946 - event.size() - 13, 'x') + R"("})";
  return event;
}

DecodeOptions Options() {
  DecodeOptions options;
  options.cluster = "prod-eu";
  options.stream = [](std::string_view) { return StreamId{1}; };
  return options;
}

void DecodeEventsInAnArray(benchmark::State& state) {
  const auto count = static_cast<int>(state.range(0));
  std::string body = "[";
  for (int i = 0; i < count; ++i) body += (i > 0 ? "," : "") + K8sEvent(i);
  body += "]";
  Decoder decoder(Options());
  std::vector<Event> quarantine;
  for (auto _ : state) {
    auto decoded = decoder.Decode({.path = "/v1/events",
                                   .content_type = "application/json",
                                   .body = body,
                                   .received = FromMicros(1)},
                                  &quarantine);
    if (!decoded || decoded->events.size() != static_cast<size_t>(count)) {
      state.SkipWithError("not decoded");
    }
    benchmark::DoNotOptimize(decoded);
  }
  state.SetItemsProcessed(state.iterations() * count);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(body.size()));
}
BENCHMARK(DecodeEventsInAnArray)->Arg(1)->Arg(100)->Arg(1000);

void ScanOneEvent(benchmark::State& state) {
  const std::string event = K8sEvent(1);
  JsonScanner scanner;
  for (auto _ : state) benchmark::DoNotOptimize(scanner.Scan(event, 64));
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(event.size()));
}
BENCHMARK(ScanOneEvent);

}  // namespace
}  // namespace spool

BENCHMARK_MAIN();
