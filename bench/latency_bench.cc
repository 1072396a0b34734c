// How long from a POST until the event is with a subscriber of NATS JetStream, under light load?
// bench_latency [--events N] [--every MS] [--dir DIR]; DIR must lie on the disk in question.
//
// A real spoold, a real nats-server, one event every so many milliseconds. Beside it the least that
// it can cost here: a write and fdatasync of one event's bytes in the same directory.
#include <curl/curl.h>
#include <fcntl.h>
#include <nats/nats.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bench/events.h"
#include "bench/load.h"
#include "tests/support/free_port.h"
#include "tests/support/nats_server.h"
#include "tests/support/spoold_process.h"

namespace spool::bench {
namespace {

using SteadyPoint = std::chrono::steady_clock::time_point;

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "bench_latency: %s\n", what.c_str());
  std::exit(1);
}

struct Arrivals {
  std::mutex mutex;
  std::condition_variable came;
  size_t count = 0;
  SteadyPoint last;
};
void OnMessage(natsConnection*, natsSubscription*, natsMsg* message, void* of) {
  auto* arrivals = static_cast<Arrivals*>(of);
  {
    const std::lock_guard lock(arrivals->mutex);
    ++arrivals->count;
    arrivals->last = std::chrono::steady_clock::now();
  }
  arrivals->came.notify_all();
  natsMsg_Destroy(message);
}

size_t Ignore(char*, size_t size, size_t count, void*) { return size * count; }

class Poster {
 public:
  explicit Poster(const std::string& url) : curl_(curl_easy_init()) {
    headers_ = curl_slist_append(nullptr, "Content-Type: application/json");
    curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, Ignore);
    curl_easy_setopt(curl_, CURLOPT_TIMEOUT, 10L);
  }
  ~Poster() {
    curl_easy_cleanup(curl_);
    curl_slist_free_all(headers_);
  }
  bool Post(const std::string& body) {
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    long status = 0;
    return curl_easy_perform(curl_) == CURLE_OK &&
           curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status == 200;
  }

 private:
  CURL* curl_;
  curl_slist* headers_;
};

std::vector<double> Syncs(const std::string& dir, size_t count) {
  const int fd = open((dir + "/sync").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) Die("cannot write in " + dir);
  const std::string bytes(kEventBytes, 'x');
  std::vector<double> millis;
  for (size_t i = 0; i < count; ++i) {
    const auto start = std::chrono::steady_clock::now();
    if (write(fd, bytes.data(), bytes.size()) < 0 || fdatasync(fd) != 0) Die("a sync failed");
    millis.push_back(Since(start) * 1e3);
  }
  close(fd);
  return millis;
}

int Main(size_t count, int every, const std::string& base) {
  std::string dir = base + "/spool-bench-XXXXXX";
  if (mkdtemp(dir.data()) == nullptr) Die("cannot make a directory in " + base);
  const auto server = testing::NatsServer::Start();
  if (!server || !server->AddStream("EVENTS", {"spool.>"})) Die("no nats-server");
  const std::string ingest = "127.0.0.1:" + std::to_string(testing::FreePort());
  const std::string admin = "127.0.0.1:" + std::to_string(testing::FreePort());
  std::ofstream(dir + "/spool.yaml")
      << "version: 1\ndata_dir: " << dir << "/data\nlog: { level: warn }\n"
      << "journal: { disk_reserve: 64MiB }\nadmin: { address: \"" << admin << "\" }\n"
      << "sources:\n  web: { type: http, address: \"" << ingest << "\" }\n"
      << "targets:\n  bus: { type: nats, url: \"" << server->url() << "\" }\n";
  const testing::Spoold spoold({"--config", dir + "/spool.yaml"}, dir + "/log");

  Arrivals arrivals;
  natsConnection* connection = nullptr;
  natsSubscription* subscription = nullptr;
  if (natsConnection_ConnectTo(&connection, server->url().c_str()) != NATS_OK ||
      natsConnection_Subscribe(&subscription, connection, "spool.>", OnMessage, &arrivals) !=
          NATS_OK ||
      natsConnection_Flush(connection) != NATS_OK) {
    Die("cannot subscribe");
  }
  Poster poster("http://" + ingest + "/v1/events");
  EventMaker maker(23);
  std::vector<double> answered;
  std::vector<double> arrived;
  size_t stored = 0;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (size_t i = 0; arrived.size() < count;) {
    const std::string body = maker.Next().json;
    const auto start = std::chrono::steady_clock::now();
    if (!poster.Post(body)) {
      if (stored > 0 || start > give_up) Die("spoold does not take events; see " + dir + "/log");
      continue;  // not up yet
    }
    const double answer = Since(start) * 1e3;
    ++stored;
    std::unique_lock lock(arrivals.mutex);
    if (!arrivals.came.wait_for(lock, std::chrono::seconds(20),
                                [&] { return arrivals.count >= stored; })) {
      Die("an event did not arrive");
    }
    const double whole = std::chrono::duration<double>(arrivals.last - start).count() * 1e3;
    if (++i > 50) {  // connections are made and pages are warm
      answered.push_back(answer);
      arrived.push_back(whole);
    }
    const auto next = start + std::chrono::milliseconds(every);
    arrivals.came.wait_until(lock, next, [&] { return arrivals.count > stored; });
  }
  const auto syncs = Syncs(dir, count);
  std::printf("latency: %zu events, one every %d ms\n", count, every);
  std::printf("%-22s %9s %9s\n", "", "p50 ms", "p99 ms");
  const auto print = [](const char* what, const std::vector<double>& millis) {
    std::printf("%-22s %9.2f %9.2f\n", what, Median(millis), Quantile(millis, 0.99));
  };
  print("write and fdatasync", syncs);
  print("POST to 200", answered);
  print("POST to subscriber", arrived);
  natsSubscription_Destroy(subscription);
  natsConnection_Destroy(connection);
  std::error_code ignored;
  std::filesystem::remove_all(dir, ignored);
  return 0;
}

}  // namespace
}  // namespace spool::bench

int main(int argc, char** argv) {
  size_t count = 1000;
  int every = 10;
  std::string base = getenv("TMPDIR") != nullptr ? getenv("TMPDIR") : "/tmp";
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--events") == 0) count = strtoull(argv[i + 1], nullptr, 10);
    if (strcmp(argv[i], "--every") == 0) every = atoi(argv[i + 1]);
    if (strcmp(argv[i], "--dir") == 0) base = argv[i + 1];
  }
  return spool::bench::Main(count, every, base);
}
