// What stays flat while the journal grows, and what does an event cost on disk?
// bench_growth [--events N] [--small N] [--dir DIR]; DIR must lie on the disk in question.
//
// Appends commits of 1000 until there are N events and stops at 1 M, 2 M, 5 M, 10 M … to look: the
// rate since the last look, the process's memory, files, bytes written by the process in all, how
// long an open takes, and a search by time. Then a journal of its own for events that come alone.
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "base/hash.h"
#include "bench/events.h"
#include "bench/load.h"
#include "spool/cursor.h"
#include "spool/journal.h"

namespace spool::bench {
namespace {

constexpr size_t kCommit = 1000;
constexpr int kInFlight = 4;
constexpr size_t kMade = 200'000;  // events are made once and get new names each time around

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "bench_growth: %s\n", what.c_str());
  std::exit(1);
}

// A number of /proc/self/FILE, behind `name`.
double Proc(const char* file, const std::string& name) {
  std::ifstream in(std::string("/proc/self/") + file);
  for (std::string word; in >> word;) {
    if (word != name) continue;
    double value = 0;
    in >> value;
    return value;
  }
  Die("/proc/self/" + std::string(file) + " says nothing of " + name);
}
double ResidentMiB() { return Proc("status", "VmRSS:") / 1024; }
double WrittenBytes() { return Proc("io", "wchar:"); }

double DirBytes(const std::string& dir) {
  double bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    std::error_code gone;
    if (!entry.is_regular_file(gone)) continue;
    const auto size = entry.file_size(gone);
    if (!gone) bytes += static_cast<double>(size);
  }
  return bytes;
}

// Events without end: the same texts under new uids, which is what compression cannot guess.
class Events {
 public:
  explicit Events(size_t made) {
    EventMaker maker(11);
    for (size_t i = 0; i < made; ++i) made_.push_back(maker.Next());
  }
  Event Next(StreamId stream) {
    K8sEvent& event = made_[at_++ % made_.size()];
    if (at_ > made_.size()) {
      std::string uid = event.uid;
      for (char& c : uid) {
        if (c != '-') c = "0123456789abcdef"[random_() % 16];
      }
      event.json.replace(event.json.find(event.uid), uid.size(), uid);
      event.uid = std::move(uid);
    }
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

 private:
  std::vector<K8sEvent> made_;
  size_t at_ = 0;
  std::mt19937_64 random_{3};
};

std::unique_ptr<Journal> OpenJournal(const std::string& dir) {
  JournalOptions options;
  options.dir = dir;
  options.streams.resize(1);
  options.streams[0].name = "kubernetes-events";
  options.disk_reserve_bytes = 0;
  options.reserve_file_bytes = 0;
  options.scrub_bytes_per_second = 0;
  auto journal = Journal::Open(std::move(options));
  if (!journal) Die(journal.error().message);
  return std::move(*journal);
}

// Seconds in Append alone: making events is not the journal's work.
double AppendMany(Journal& journal, Events& events, size_t count) {
  constexpr size_t kAtOnce = 20 * kCommit;  // in memory
  const StreamId stream = *journal.FindStream("kubernetes-events");
  double seconds = 0;
  std::atomic<bool> failed{false};
  for (size_t done = 0; done < count;) {
    std::vector<std::vector<Event>> commits;
    for (size_t i = 0; i < kAtOnce && done < count; i += kCommit, done += kCommit) {
      auto& commit = commits.emplace_back();
      for (size_t n = 0; n < kCommit; ++n) commit.push_back(events.Next(stream));
    }
    std::counting_semaphore<kInFlight> window(kInFlight);
    const auto start = std::chrono::steady_clock::now();
    for (auto& commit : commits) {
      window.acquire();
      journal.Append(std::move(commit), "bench", [&](Result<AppendResult> result) {
        if (!result || result->stored != kCommit) failed = true;
        window.release();
      });
    }
    for (int i = 0; i < kInFlight; ++i) window.acquire();
    seconds += Since(start);
    if (failed) Die("not everything was stored");
  }
  return seconds;
}

// Milliseconds of searches at random moments of what is stored.
std::vector<double> Searches(const Journal& journal) {
  const StreamStatus stream = journal.Streams().front();
  const int64_t from = ToMicros(*stream.oldest);
  const int64_t to = ToMicros(*stream.newest);
  std::mt19937_64 random(5);
  std::vector<double> millis;
  for (int i = 0; i < 200; ++i) {
    const int64_t at = from + static_cast<int64_t>(random() % static_cast<uint64_t>(to - from + 1));
    const auto start = std::chrono::steady_clock::now();
    if (!journal.Find(FromMicros(at))) Die("a search failed");
    millis.push_back(Since(start) * 1e3);
  }
  return millis;
}

void Grow(const std::string& dir, size_t limit) {
  Events events(kMade);
  auto journal = OpenJournal(dir);
  std::printf("%-10s %10s %8s %10s %12s %8s %14s %14s\n", "events", "events/s", "rss MiB",
              "disk/raw", "written/raw", "open s", "find p50 ms", "find p99 ms");
  const double memory_before = ResidentMiB();
  const double written_before = WrittenBytes();
  size_t stored = 0;
  size_t step = 1'000'000;
  for (int of_decade = 0; stored < limit;) {
    const size_t look = std::min(limit, step * std::array{1, 2, 5}[of_decade]);
    const double seconds = AppendMany(*journal, events, look - stored);
    const double rate = static_cast<double>(look - stored) / seconds;
    stored = look;
    const double memory = ResidentMiB() - memory_before;
    journal.reset();
    const auto start = std::chrono::steady_clock::now();
    journal = OpenJournal(dir);
    const double open = Since(start);
    const auto millis = Searches(*journal);
    const double raw = static_cast<double>(stored) * kEventBytes;
    std::printf("%-10zu %10.0f %8.0f %10.3f %12.3f %8.2f %14.2f %14.2f\n", stored, rate, memory,
                DirBytes(dir) / raw, (WrittenBytes() - written_before) / raw, open, Median(millis),
                Quantile(millis, 0.99));
    std::fflush(stdout);
    if (++of_decade == 3) {
      of_decade = 0;
      step *= 10;
    }
  }
  std::printf("rss is what came on top of the %.0f MiB of events this program holds\n\n",
              memory_before);
}

// One event a commit, each waited for.
void Small(const std::string& dir, size_t count) {
  Events events(count);
  const double written_before = WrittenBytes();
  double seconds = 0;
  {
    auto journal = OpenJournal(dir);
    const StreamId stream = *journal->FindStream("kubernetes-events");
    for (size_t i = 0; i < count; ++i) {
      std::vector<Event> one;
      one.push_back(events.Next(stream));
      const auto start = std::chrono::steady_clock::now();
      if (!journal->AppendAndWait(std::move(one), "bench")) Die("an event was not stored");
      seconds += Since(start);
    }
  }
  OpenJournal(dir).reset();  // the log becomes tables: settled
  const double raw = static_cast<double>(count) * kEventBytes;
  std::printf(
      "one event a commit: %zu events, %.0f commits/s, settled disk/raw %.3f, written/raw %.3f\n",
      count, static_cast<double>(count) / seconds, DirBytes(dir) / raw,
      (WrittenBytes() - written_before) / raw);
}

int Main(int argc, char** argv) {
  // As spoold does, or what is freed looks like what is held.
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, 512 << 10);
  size_t count = 50'000'000;
  size_t small = 30'000;
  std::string base = getenv("TMPDIR") != nullptr ? getenv("TMPDIR") : "/tmp";
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--events") == 0) count = strtoull(argv[i + 1], nullptr, 10);
    if (strcmp(argv[i], "--small") == 0) small = strtoull(argv[i + 1], nullptr, 10);
    if (strcmp(argv[i], "--dir") == 0) base = argv[i + 1];
  }
  count -= count % kCommit;
  std::string dir = base + "/spool-bench-XXXXXX";
  if (mkdtemp(dir.data()) == nullptr) Die("cannot make a directory in " + base);
  Grow(dir + "/large", count);
  Small(dir + "/small", small);
  std::error_code ignored;
  std::filesystem::remove_all(dir, ignored);
  return 0;
}

}  // namespace
}  // namespace spool::bench

int main(int argc, char** argv) { return spool::bench::Main(argc, argv); }
