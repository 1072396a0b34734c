// What does a noisy producer cost a quiet one? bench_fairness [--posts N] [--dir DIR]
//
// One spoold. A quiet source gets an event every 5 ms over one connection; a noisy one, which has a
// quota, gets batches of 100 over 16 connections, far more than its quota: first by a sender that
// waits as long as Retry-After says, then by one that does not care. The noisy sender has the
// lowest priority, as if it had processors of its own.
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "bench/load.h"
#include "bench/posts.h"
#include "bench/service.h"

namespace spool::bench {
namespace {

using std::chrono::milliseconds;

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "bench_fairness: %s\n", what.c_str());
  std::_Exit(1);  // other threads are at work
}

void Wait(const std::stop_token& stop, std::chrono::steady_clock::time_point until) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_until(lock, stop, until, [&stop] { return stop.stop_requested(); });
}

struct Noise {
  std::atomic<uint64_t> stored{0}, refused{0}, others{0};
};

void MakeNoise(const std::stop_token& stop, int port, const std::vector<std::string>& requests,
               std::atomic<size_t>* next, bool waits, Noise* noise) {
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), 19);
  Connection connection(port);
  // What was refused is sent again: what is stored already would cost less.
  for (size_t mine = next->fetch_add(1); !stop.stop_requested();) {
    if (mine >= requests.size()) Die("the noise has come to its end");
    const auto answer = connection.Send(requests[mine]);
    ++(answer.status == 200   ? noise->stored
       : answer.status == 429 ? noise->refused
                              : noise->others);
    if (answer.status == 200) mine = next->fetch_add(1);
    if (waits && answer.retry_after > 0) {
      Wait(stop, std::chrono::steady_clock::now() + std::chrono::seconds(answer.retry_after));
    }
  }
}

std::vector<double> Quiet(int port, const std::vector<std::string>& requests) {
  Connection connection(port);
  std::vector<double> millis;
  auto next = std::chrono::steady_clock::now();
  for (const std::string& request : requests) {
    Wait({}, next);
    // From when it should have been sent: what waits behind a slow one is late, too.
    const auto status = connection.Send(request).status;
    if (status != 200) Die("the quiet source was answered " + std::to_string(status));
    millis.push_back(Since(next) * 1e3);
    next += milliseconds(5);
  }
  return millis;
}

int Main(size_t posts, const std::string& base) {
  EventMaker maker(7);
  std::vector<std::string> noisy;
  for (size_t i = 0; i < 4'000; ++i) {  // more than the quota lets in
    std::vector<std::string> events;
    for (size_t k = 0; k < 100; ++k) events.push_back(maker.Next().json);
    noisy.push_back(EventsRequest(events));
  }
  const Service service(base, {"", ", quota: { events: 1000/s, in_flight: 2 }",
                               ", quota: { events: 5000/s, in_flight: 2 }"});
  std::atomic<size_t> next{0};
  double alone = 0;
  std::printf("fairness: a quiet source beside a noisy one with a quota, in events a second\n");
  std::printf("%-26s %9s %9s %9s %12s %12s\n", "", "p50 ms", "p99 ms", "of alone", "noisy 200/s",
              "noisy 429/s");
  const auto run = [&](const char* name, size_t source, size_t senders, bool waits) {
    std::vector<std::string> quiet;
    for (size_t i = 0; i < posts; ++i) quiet.push_back(EventsRequest({maker.Next().json}));
    Noise noise;
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < senders; ++i) {
      threads.emplace_back([&](const std::stop_token& stop) {
        MakeNoise(stop, service.port(source), noisy, &next, waits, &noise);
      });
    }
    const auto start = std::chrono::steady_clock::now();
    const std::vector<double> millis = Quiet(service.port(0), quiet);
    const double seconds = Since(start);
    for (std::jthread& thread : threads) thread.request_stop();
    threads.clear();
    const double p99 = Quantile(millis, 0.99);
    if (alone == 0) alone = p99;
    if (noise.others > 0) Die("the noisy source was answered neither 200 nor 429");
    std::printf("%-26s %9.2f %9.2f %9.2f %12.0f %12.0f\n", name, Median(millis), p99, p99 / alone,
                static_cast<double>(noise.stored) / seconds,
                static_cast<double>(noise.refused) / seconds);
  };
  run("alone", 0, 0, true);
  run("1,000, waits as told", 1, 16, true);
  run("1,000, never waits", 1, 16, false);
  run("5,000, waits as told", 2, 16, true);
  run("5,000, never waits", 2, 16, false);
  return 0;
}

}  // namespace
}  // namespace spool::bench

int main(int argc, char** argv) {
  size_t posts = 2'000;
  std::string base = getenv("TMPDIR") != nullptr ? getenv("TMPDIR") : "/tmp";
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--posts") == 0) posts = strtoull(argv[i + 1], nullptr, 10);
    if (strcmp(argv[i], "--dir") == 0) base = argv[i + 1];
  }
  return spool::bench::Main(posts, base);
}
