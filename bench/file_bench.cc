// How many lines of a file a second become durable through the file source: reading, decoding,
// identity, classification, redaction, the journal and its sync, and the place with them?
// bench_file [--lines N] [--rounds N] [--dir DIR]; DIR must lie on the disk in question.
//
// A real spoold on files that were written before the clock starts; it ends when all is stored.
#include <signal.h>
#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "bench/events.h"
#include "bench/load.h"
#include "bench/posts.h"
#include "tests/support/app_http.h"
#include "tests/support/free_port.h"
#include "tests/support/spoold_process.h"

namespace spool::bench {
namespace {

namespace fs = std::filesystem;

struct Kind {
  const char* name;
  std::string text;
  size_t lines = 0;
};

Kind MakeKind(const char* name, const std::vector<std::string>& records) {
  Kind kind{name, {}, records.size()};
  for (const std::string& record : records) kind.text += record + "\n";
  return kind;
}

uint64_t EndOf(const std::string& admin) {
  const nlohmann::json status = testing::Call("GET", admin, "/api/v1/status").Json();
  // A problem is told until it is up.
  return status.contains("sequence") ? status["sequence"]["end"].get<uint64_t>() : 0;
}

// From the first line that is stored to the last one.
double Round(const Kind& kind, const std::string& base) {
  std::string pattern = base + "/spool-bench-file-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) exit(1);
  const fs::path dir(pattern);
  const std::string admin = "127.0.0.1:" + std::to_string(testing::FreePort());
  std::ofstream(dir / "spool.yaml")
      << "version: 1\ndata_dir: " << (dir / "data").string() << "\nlog: { level: warn }\n"
      << "journal: { disk_reserve: 64MiB }\nadmin: { address: \"" << admin << "\" }\n"
      << "sources: { log: { type: file, path: \"" << (dir / "in.log").string() << "\" } }\n"
      << "targets: { nothing: { type: \"null\" } }\n";
  double seconds = 0;
  {
    testing::Spoold spoold({"--config", dir / "spool.yaml"}, dir / "log");
    testing::WaitUntil([&] { return EndOf(admin) > 0; });
    std::ofstream(dir / "whole", std::ios::binary) << kind.text;
    const SteadyTime begin = RealClock().Steady();
    fs::rename(dir / "whole", dir / "in.log");
    testing::WaitUntil([&] { return EndOf(admin) > kind.lines; }, std::chrono::minutes(5));
    seconds = std::chrono::duration<double>(RealClock().Steady() - begin).count();
    spoold.Signal(SIGTERM);
    spoold.Wait(std::chrono::seconds(25));
  }
  fs::remove_all(dir);
  const double rate = static_cast<double>(kind.lines) / seconds;
  std::printf("%-14s %10.0f %8.1f\n", kind.name, rate,
              static_cast<double>(kind.text.size()) / seconds / 1e6);
  return rate;
}

int Main(size_t count, int rounds, const std::string& base) {
  std::vector<std::string> events;
  EventMaker maker(7);
  for (size_t i = 0; i < count; ++i) events.push_back(maker.Next().json);
  std::vector<std::string> small;
  for (size_t i = 0; i < 2 * count; ++i) {
    small.push_back(R"({"level":"info","n":)" + std::to_string(i) + R"(,"message":"request )" +
                    std::to_string(i * 7919) + R"( took 12 ms and was answered 200"})");
  }
  const Kind kinds[] = {MakeKind("Events", events), MakeKind("audit", MakeAudits(count)),
                        MakeKind("short lines", small)};
  std::printf("file: lines of one file until all are stored, looking for it included\n");
  std::printf("%-14s %10s %8s\n", "", "lines/s", "MB/s");
  for (const Kind& kind : kinds) {
    std::vector<double> rates;
    for (int i = 0; i < rounds; ++i) rates.push_back(Round(kind, base));
    std::printf("median: %-14s %10.0f lines/s\n", kind.name, Median(rates));
  }
  return 0;
}

}  // namespace
}  // namespace spool::bench

int main(int argc, char** argv) {
  size_t count = 600'000;
  int rounds = 3;
  std::string base = getenv("TMPDIR") != nullptr ? getenv("TMPDIR") : "/tmp";
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--lines") == 0) count = strtoull(argv[i + 1], nullptr, 10);
    if (strcmp(argv[i], "--rounds") == 0) rounds = atoi(argv[i + 1]);
    if (strcmp(argv[i], "--dir") == 0) base = argv[i + 1];
  }
  return spool::bench::Main(count, rounds, base);
}
