// How many events a second become durable, of real batches: through HTTP, decoding, identity,
// classification, redaction, the journal and its sync, up to the answer?
// bench_ingest [--events N] [--rounds N] [--dir DIR]; DIR must lie on the disk in question.
//
// A real spoold, and requests that were made before the clock starts, so that the client takes
// little of the processors. Rounds alternate between Event arrays and audit batches, of 100 each.
#include <stdlib.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "bench/load.h"
#include "bench/posts.h"
#include "bench/service.h"

namespace spool::bench {
namespace {

constexpr size_t kBatch = 100;
constexpr size_t kConnections = 16;

double OwnCpuSeconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

struct Kind {
  const char* name;
  std::vector<std::string> requests;
  double bytes = 0;  // of one record
};

Kind MakeKind(const char* name, const std::vector<std::string>& records,
              std::string (*request)(const std::vector<std::string>&)) {
  Kind kind{name, {}, 0};
  for (size_t at = 0; at + kBatch <= records.size(); at += kBatch) {
    const auto from = records.begin() + static_cast<std::ptrdiff_t>(at);
    kind.requests.push_back(request({from, from + kBatch}));
  }
  for (const std::string& record : records) kind.bytes += static_cast<double>(record.size());
  kind.bytes /= static_cast<double>(records.size());
  return kind;
}

// A service of its own for each round: what was stored in another would be a repeat.
double Round(const Kind& kind, const std::string& base) {
  const Service service(base, {""});
  const double own = OwnCpuSeconds(), theirs = service.cpu_seconds();
  const double seconds = PostAll(service.port(0), kind.requests, kConnections);
  const double client = OwnCpuSeconds() - own, server = service.cpu_seconds() - theirs;
  const auto events = static_cast<double>(kind.requests.size() * kBatch);
  const double rate = events / seconds;
  std::printf("%-14s %10.0f %8.1f %12.2f %12.2f %10.2f\n", kind.name, rate, rate * kind.bytes / 1e6,
              server / seconds, client / seconds, server / events * 1e6);
  return rate;
}

int Main(size_t count, int rounds, const std::string& base) {
  count = std::max(count / kBatch, size_t{1}) * kBatch;
  const auto make_events = [count] {
    EventMaker maker(7);
    std::vector<std::string> events;
    for (size_t i = 0; i < count; ++i) events.push_back(maker.Next().json);
    return events;
  };
  const Kind kinds[] = {MakeKind("Event arrays", make_events(), EventsRequest),
                        MakeKind("audit batches", MakeAudits(count), AuditRequest)};
  std::printf("ingest: %zu events a round, %zu a request, %zu connections; %.0f and %.0f bytes\n",
              count, kBatch, kConnections, kinds[0].bytes, kinds[1].bytes);
  std::printf("%-14s %10s %8s %12s %12s %10s\n", "", "events/s", "MB/s", "spoold cores",
              "client cores", "us/event");
  std::vector<double> rates[2];
  for (int i = 0; i < rounds; ++i) {
    for (size_t k = 0; k < 2; ++k) rates[k].push_back(Round(kinds[k], base));
  }
  for (size_t k = 0; k < 2; ++k) {
    std::printf("median: %-14s %10.0f events/s\n", kinds[k].name, Median(rates[k]));
  }
  return 0;
}

}  // namespace
}  // namespace spool::bench

int main(int argc, char** argv) {
  size_t count = 300'000;
  int rounds = 3;
  std::string base = getenv("TMPDIR") != nullptr ? getenv("TMPDIR") : "/tmp";
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--events") == 0) count = strtoull(argv[i + 1], nullptr, 10);
    if (strcmp(argv[i], "--rounds") == 0) rounds = atoi(argv[i + 1]);
    if (strcmp(argv[i], "--dir") == 0) base = argv[i + 1];
  }
  return spool::bench::Main(count, rounds, base);
}
