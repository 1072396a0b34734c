// What does the journal cost beyond the least that durable, compressed storage can cost here?
// bench_journal [--events N] [--rounds N] [--dir DIR]; DIR must lie on the disk in question.
#include <rocksdb/db.h>
#include <stdlib.h>
#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <semaphore>
#include <string>
#include <vector>

#include "base/hash.h"
#include "bench/events.h"
#include "forward/pump.h"
#include "forward/route.h"
#include "forward/sink_factory.h"
#include "spool/cursor.h"
#include "spool/journal.h"

namespace spool::bench {
namespace {

constexpr size_t kCommit = 1000;
constexpr int kInFlight = 4;

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "bench_journal: %s\n", what.c_str());
  std::exit(1);
}

struct Measured {
  double seconds = 0;
  double stored = 0;  // compressed bytes handed to the store
  double disk = 0;    // size of all files, log included
};

double Since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double DirBytes(const std::string& dir) {
  double bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    std::error_code gone;
    if (entry.is_regular_file(gone)) {
      const auto size = entry.file_size(gone);
      if (!gone) bytes += static_cast<double>(size);
    }
  }
  return bytes;
}

// The yardstick: one thread compresses 1000 events' bytes and writes them, synced, as one value.
Measured BareLoop(const std::vector<K8sEvent>& events, const std::string& dir) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kNoCompression;
  rocksdb::DB* opened = nullptr;
  auto status = rocksdb::DB::Open(options, dir, &opened);
  if (!status.ok()) Die(status.ToString());
  std::unique_ptr<rocksdb::DB> db(opened);
  rocksdb::WriteOptions synced;
  synced.sync = true;
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> zstd(ZSTD_createCCtx(), &ZSTD_freeCCtx);
  Measured measured;
  std::string raw;
  std::string packed;
  const auto start = std::chrono::steady_clock::now();
  for (size_t at = 0; at < events.size(); at += kCommit) {
    raw.clear();
    for (size_t i = at; i < std::min(at + kCommit, events.size()); ++i) raw += events[i].json;
    packed.resize(ZSTD_compressBound(raw.size()));
    const size_t size =
        ZSTD_compressCCtx(zstd.get(), packed.data(), packed.size(), raw.data(), raw.size(), 1);
    if (ZSTD_isError(size) != 0) Die(ZSTD_getErrorName(size));
    char key[17];
    std::snprintf(key, sizeof(key), "%016zx", at);
    rocksdb::WriteBatch batch;
    batch.Put(rocksdb::Slice(key, 16), rocksdb::Slice(packed.data(), size));
    status = db->Write(synced, &batch);
    if (!status.ok()) Die(status.ToString());
    measured.stored += static_cast<double>(size);
  }
  measured.seconds = Since(start);
  measured.disk = DirBytes(dir);
  return measured;
}

Event ToEvent(const K8sEvent& event, StreamId stream) {
  EventView view;
  view.id = Sha256Prefix(event.uid);
  view.time = RealClock().Now();
  view.source = "/clusters/prod-eu";
  view.type = "io.k8s.event.v1";
  view.producer = "k8s-event";
  view.cluster = "prod-eu";
  view.namespace_ = event.namespace_;
  view.kind = "Pod";
  view.name = event.name;
  view.reason = event.reason;
  view.content_type = "application/json";
  view.data = event.json;
  return MakeEvent(view, stream);
}

std::unique_ptr<Journal> OpenJournal(const std::string& dir) {
  JournalOptions options;
  options.dir = dir;
  options.streams.resize(1);
  options.streams[0].name = "kubernetes-events";
  options.disk_reserve_bytes = 0;
  options.reserve_file_bytes = 0;
  auto journal = Journal::Open(std::move(options));
  if (!journal) Die(journal.error().message);
  return std::move(*journal);
}

Measured AppendAll(Journal& journal, const std::vector<K8sEvent>& events, const std::string& dir) {
  // Encoding is ingest's work, so it is done before the clock starts.
  const StreamId stream = *journal.FindStream("kubernetes-events");
  std::vector<std::vector<Event>> commits;
  for (size_t i = 0; i < events.size(); ++i) {
    if (i % kCommit == 0) commits.emplace_back().reserve(kCommit);
    commits.back().push_back(ToEvent(events[i], stream));
  }
  Measured measured;
  std::counting_semaphore<kInFlight> window(kInFlight);
  std::atomic<uint64_t> stored{0};
  std::atomic<bool> failed{false};
  const auto start = std::chrono::steady_clock::now();
  for (auto& commit : commits) {
    window.acquire();
    journal.Append(std::move(commit), "bench", [&](Result<AppendResult> result) {
      if (result) {
        stored += result->stored;
      } else {
        failed = true;
      }
      window.release();
    });
  }
  for (int i = 0; i < kInFlight; ++i) window.acquire();
  measured.seconds = Since(start);
  if (failed || stored != events.size()) Die("not everything was stored");
  measured.stored = static_cast<double>(journal.counters().stored_bytes);
  measured.disk = DirBytes(dir);
  return measured;
}

Measured ScanAll(Journal& journal, size_t events) {
  auto router = Router::Compile({}, "t", true);
  if (!router) Die(router.error().message);
  Journal::CursorOptions options;
  options.name = "target/t";
  options.streams = router->Reach(journal);
  options.start = {1};
  auto cursor = journal.OpenCursor(options);
  if (!cursor) Die(cursor.error().message);
  SinkSettings settings;
  settings.target = "t";
  settings.of = NullSettings{};
  auto sink = MakeSink(settings);
  if (!sink) Die(sink.error().message);
  PumpOptions pump_options;
  pump_options.target = "t";
  Pump pump(pump_options, journal, **cursor, *router, **sink, RealClock());
  Measured measured;
  const auto start = std::chrono::steady_clock::now();
  Step step = Step::kProgress;
  while (step == Step::kProgress) step = pump.Run({});
  measured.seconds = Since(start);
  if (step != Step::kIdle) Die("the pump stopped before the end");
  if ((*cursor)->account().delivered != events) Die("not everything was delivered");
  return measured;
}

double Print(const char* what, const Measured& measured, size_t events, double bare_rate) {
  const double rate = static_cast<double>(events) / measured.seconds;
  const double raw = static_cast<double>(events * kEventBytes);
  std::printf("%-14s %10.0f %8.1f %8.2f", what, rate, raw / measured.seconds / 1e6,
              bare_rate > 0 ? rate / bare_rate : 1.0);
  if (measured.disk > 0) {
    std::printf(" %12.3f %10.3f", measured.stored / raw, measured.disk / raw);
  } else {
    std::printf(" %12s %10s", "-", "-");
  }
  std::printf("\n");
  std::fflush(stdout);
  return rate;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Main(int argc, char** argv) {
  size_t count = 200'000;
  int rounds = 3;
  std::string base = getenv("TMPDIR") != nullptr ? getenv("TMPDIR") : "/tmp";
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc) Die("usage: bench_journal [--events N] [--rounds N] [--dir DIR]");
    if (strcmp(argv[i], "--events") == 0) {
      count = strtoull(argv[i + 1], nullptr, 10);
    } else if (strcmp(argv[i], "--rounds") == 0) {
      rounds = atoi(argv[i + 1]);
    } else if (strcmp(argv[i], "--dir") == 0) {
      base = argv[i + 1];
    } else {
      Die("usage: bench_journal [--events N] [--rounds N] [--dir DIR]");
    }
  }
  if (count == 0 || rounds < 1) Die("needs at least one event and one round");
  EventMaker maker(1);
  std::vector<K8sEvent> events;
  events.reserve(count);
  for (size_t i = 0; i < count; ++i) events.push_back(maker.Next());

  std::printf("%zu events of %zu bytes, commits of %zu, %d in flight\n", count, kEventBytes,
              kCommit, kInFlight);
  std::printf("%-14s %10s %8s %8s %12s %10s\n", "", "events/s", "MB/s", "of bare", "stored/raw",
              "disk/raw");
  std::vector<double> bare_rates, append_ratios, scan_ratios;
  for (int round = 0; round < rounds; ++round) {
    std::string dir = base + "/spool-bench-XXXXXX";
    if (mkdtemp(dir.data()) == nullptr) Die("cannot make a directory in " + base);
    const double bare = Print("bare loop", BareLoop(events, dir + "/bare"), count, 0);
    bare_rates.push_back(bare);
    {
      auto journal = OpenJournal(dir + "/journal");
      append_ratios.push_back(
          Print("append", AppendAll(*journal, events, dir + "/journal"), count, bare) / bare);
      scan_ratios.push_back(Print("scan", ScanAll(*journal, count), count, bare) / bare);
    }
    std::error_code ignored;
    std::filesystem::remove_all(dir, ignored);
  }
  std::printf("median: bare %.0f events/s, append %.2f of bare, scan %.2f of bare\n",
              Median(bare_rates), Median(append_ratios), Median(scan_ratios));
  return 0;
}

}  // namespace
}  // namespace spool::bench

int main(int argc, char** argv) { return spool::bench::Main(argc, argv); }
