// Metrics in the Prometheus text format. Components keep plain counters of their own; at a scrape
// the service writes them all down through a MetricsWriter.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spool {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

// Counts durations in fixed buckets: 0.5 ms · 2^n up to 8 s, and more. Any thread, lock-free.
class DurationHistogram {
 public:
  static constexpr size_t kBuckets = 15;  // 0.0005, 0.001, ... 8.192 seconds
  void Observe(int64_t micros);
  struct Snapshot {
    std::array<uint64_t, kBuckets + 1> counts{};  // per bucket, the last is +Inf; not cumulative
    double sum_seconds = 0;
  };
  Snapshot snapshot() const;
  static double UpperBoundSeconds(size_t bucket);

 private:
  std::array<std::atomic<uint64_t>, kBuckets + 1> counts_{};
  std::atomic<int64_t> sum_micros_{0};
};

// Collects one scrape. A name keeps the type and help it was first written with. One thread.
class MetricsWriter {
 public:
  MetricsWriter();
  ~MetricsWriter();
  void Counter(std::string_view name, std::string_view help, MetricLabels labels, double value);
  void Gauge(std::string_view name, std::string_view help, MetricLabels labels, double value);
  void Histogram(std::string_view name, std::string_view help, MetricLabels labels,
                 const DurationHistogram::Snapshot& snapshot);
  // Adds process_* (resident memory, CPU seconds, open files, start time).
  void Process();
  // Text format 0.0.4.
  std::string Text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace spool
