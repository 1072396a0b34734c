#include "base/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

namespace spool {
namespace {

double Seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

// Field 22 of /proc/self/stat is the start in clock ticks after boot, which /proc/stat dates. The
// second field is the program's name in parentheses and may hold anything, so counting starts
// after the last of them. 0 when /proc does not tell.
double StartTimeSeconds() {
  std::ifstream stat("/proc/self/stat");
  std::string line;
  if (!std::getline(stat, line)) return 0;
  const size_t name_end = line.rfind(')');
  if (name_end == line.npos) return 0;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  uint64_t ticks = 0;
  if (!(fields >> ticks)) return 0;
  std::ifstream boot("/proc/stat");
  while (std::getline(boot, line)) {
    if (!line.starts_with("btime ")) continue;
    return std::strtod(line.c_str() + 6, nullptr) +
           static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  return 0;
}

uint64_t OpenFiles() {
  std::error_code error;
  uint64_t count = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
       it.increment(error)) {
    ++count;
  }
  return count > 0 ? count - 1 : 0;  // not the directory that is being listed
}

}  // namespace

void Histogram::Observe(int64_t value, uint64_t times) {
  if (value < 0) value = 0;
  size_t bucket = 0;
  int64_t bound = scale_.first;
  while (bucket < scale_.buckets && value > bound) {
    ++bucket;
    bound <<= scale_.doublings;
  }
  counts_[bucket].fetch_add(times, std::memory_order_relaxed);
  sum_.fetch_add(value * static_cast<int64_t>(times), std::memory_order_relaxed);
}

Histogram::Snapshot Histogram::snapshot() const {
  Snapshot result;
  int64_t bound = scale_.first;
  for (size_t i = 0; i <= scale_.buckets; ++i, bound <<= scale_.doublings) {
    if (i < scale_.buckets) result.bounds.push_back(static_cast<double>(bound) * scale_.unit);
    result.counts.push_back(counts_[i].load(std::memory_order_relaxed));
  }
  result.sum = static_cast<double>(sum_.load(std::memory_order_relaxed)) * scale_.unit;
  return result;
}

struct MetricsWriter::Impl {
  std::vector<prometheus::MetricFamily> families;  // in the order first written

  // A scrape writes a family's lines one after another, so the last one is nearly always it.
  prometheus::MetricFamily& Family(std::string_view name, std::string_view help,
                                   prometheus::MetricType type) {
    for (auto it = families.rbegin(); it != families.rend(); ++it) {
      if (it->name == name) return *it;
    }
    prometheus::MetricFamily& family = families.emplace_back();
    family.name = name;
    family.type = type;
    // The serializer writes help as it is, and a line end in it would start a bogus line.
    for (const char c : help) {
      if (c == '\\') {
        family.help += "\\\\";
      } else if (c == '\n') {
        family.help += "\\n";
      } else {
        family.help += c;
      }
    }
    return family;
  }

  static prometheus::ClientMetric& Add(prometheus::MetricFamily& family, MetricLabels labels) {
    prometheus::ClientMetric& metric = family.metric.emplace_back();
    metric.label.reserve(labels.size());
    for (auto& [name, value] : labels) metric.label.push_back({std::move(name), std::move(value)});
    return metric;
  }

  void Write(std::string_view name, std::string_view help, prometheus::MetricType type,
             MetricLabels labels, double value) {
    prometheus::MetricFamily& family = Family(name, help, type);
    prometheus::ClientMetric& metric = Add(family, std::move(labels));
    // The serializer picks the one that the family's type names.
    metric.counter.value = value;
    metric.gauge.value = value;
  }
};

MetricsWriter::MetricsWriter() : impl_(std::make_unique<Impl>()) {}
MetricsWriter::~MetricsWriter() = default;

void MetricsWriter::Counter(std::string_view name, std::string_view help, MetricLabels labels,
                            double value) {
  impl_->Write(name, help, prometheus::MetricType::Counter, std::move(labels), value);
}

void MetricsWriter::Gauge(std::string_view name, std::string_view help, MetricLabels labels,
                          double value) {
  impl_->Write(name, help, prometheus::MetricType::Gauge, std::move(labels), value);
}

void MetricsWriter::Histogram(std::string_view name, std::string_view help, MetricLabels labels,
                              const Histogram::Snapshot& snapshot) {
  prometheus::MetricFamily& family = impl_->Family(name, help, prometheus::MetricType::Histogram);
  prometheus::ClientMetric::Histogram& histogram = Impl::Add(family, std::move(labels)).histogram;
  uint64_t cumulative = 0;
  for (size_t i = 0; i < snapshot.counts.size(); ++i) {
    cumulative += snapshot.counts[i];
    histogram.bucket.push_back({cumulative, i < snapshot.bounds.size()
                                                ? snapshot.bounds[i]
                                                : std::numeric_limits<double>::infinity()});
  }
  histogram.sample_count = cumulative;
  histogram.sample_sum = snapshot.sum;
}

void MetricsWriter::Process() {
  std::ifstream statm("/proc/self/statm");
  uint64_t pages = 0;
  uint64_t resident = 0;
  statm >> pages >> resident;
  Gauge("process_resident_memory_bytes", "Resident memory of the process in bytes.", {},
        static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  Counter("process_cpu_seconds_total", "User and system CPU time of the process in seconds.", {},
          Seconds(usage.ru_utime) + Seconds(usage.ru_stime));
  Gauge("process_open_fds", "Open file descriptors of the process.", {},
        static_cast<double>(OpenFiles()));
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  Gauge("process_max_fds", "The most file descriptors that the process may open.", {},
        static_cast<double>(files.rlim_cur));
  static const double started = StartTimeSeconds();
  Gauge("process_start_time_seconds", "When the process started, in seconds since 1970.", {},
        started);
}

std::string MetricsWriter::Text() const {
  return prometheus::TextSerializer().Serialize(impl_->families);
}

}  // namespace spool
