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

// Counts observations in buckets whose bounds grow by a fixed factor. Any thread, lock-free.
class Histogram {
 public:
  struct Scale {
    int64_t first;   // the lowest bound, in what is observed
    int doublings;   // from one bound to the next
    size_t buckets;  // at most kBucketsMax; what is more is counted as well
    double unit;     // of what is observed, in what is shown
  };
  static constexpr size_t kBucketsMax = 17;
  static constexpr Scale kBriefly{500, 1, 15, 1e-6};    // microseconds: 0.5 ms, 1 ms … 8.192 s
  static constexpr Scale kForHours{1000, 2, 13, 1e-6};  // microseconds: 1 ms, 4 ms … 4.7 h
  static constexpr Scale kCounts{1, 1, 17, 1};          // 1, 2, 4 … 65,536

  explicit Histogram(Scale scale) : scale_(scale) {}
  // Below 0 counts as 0.
  void Observe(int64_t value, uint64_t times = 1);
  struct Snapshot {
    std::vector<double> bounds;    // upper ones, in what is shown, without +Inf
    std::vector<uint64_t> counts;  // one more: the last is +Inf; not cumulative
    double sum = 0;
  };
  Snapshot snapshot() const;

 private:
  const Scale scale_;
  std::array<std::atomic<uint64_t>, kBucketsMax + 1> counts_{};
  std::atomic<int64_t> sum_{0};
};

// Collects one scrape. A name keeps the type and help it was first written with. One thread.
class MetricsWriter {
 public:
  MetricsWriter();
  ~MetricsWriter();
  void Counter(std::string_view name, std::string_view help, MetricLabels labels, double value);
  void Gauge(std::string_view name, std::string_view help, MetricLabels labels, double value);
  void Histogram(std::string_view name, std::string_view help, MetricLabels labels,
                 const Histogram::Snapshot& snapshot);
  // Adds process_* (resident memory, CPU seconds, open files, start time).
  void Process();
  // Text format 0.0.4.
  std::string Text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace spool
