#include "base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <thread>

namespace spool {
namespace {

using testing::HasSubstr;

// The number after `name ` at the start of a line; -1 when there is none.
double ValueOf(const std::string& text, const std::string& name) {
  const size_t at = ("\n" + text).find("\n" + name + " ");
  return at == std::string::npos ? -1 : std::strtod(text.c_str() + at + name.size(), nullptr);
}

TEST(Metrics, CountersAndGaugesAreWrittenInTheTextFormat) {
  MetricsWriter writer;
  writer.Counter("spool_events_total", "Events stored.", {{"stream", "a"}}, 3);
  writer.Gauge("spool_ready", "1 when ready.", {}, 1);
  writer.Counter("spool_events_total", "Events stored.", {{"stream", "b"}, {"source", "web"}},
                 1e15);
  EXPECT_EQ(writer.Text(),
            "# HELP spool_events_total Events stored.\n"
            "# TYPE spool_events_total counter\n"
            "spool_events_total{stream=\"a\"} 3\n"
            "spool_events_total{stream=\"b\",source=\"web\"} 1000000000000000\n"
            "# HELP spool_ready 1 when ready.\n"
            "# TYPE spool_ready gauge\n"
            "spool_ready 1\n");
}

TEST(Metrics, NothingInALabelOrHelpCanStartALineOfItsOwn) {
  MetricsWriter writer;
  writer.Gauge("spool_x", "two\nlines \\ here", {{"target", "a\"b\\c\nspool_forged 1"}}, 0);
  EXPECT_EQ(writer.Text(),
            "# HELP spool_x two\\nlines \\\\ here\n"
            "# TYPE spool_x gauge\n"
            "spool_x{target=\"a\\\"b\\\\c\\nspool_forged 1\"} 0\n");
}

TEST(Metrics, ANameKeepsTheTypeAndHelpItWasFirstWrittenWith) {
  MetricsWriter writer;
  writer.Counter("spool_x", "First.", {{"n", "1"}}, 1);
  writer.Gauge("spool_x", "Second.", {{"n", "2"}}, 2);
  EXPECT_EQ(writer.Text(),
            "# HELP spool_x First.\n# TYPE spool_x counter\n"
            "spool_x{n=\"1\"} 1\nspool_x{n=\"2\"} 2\n");
}

TEST(Metrics, AHistogramIsCumulativeAndEndsWithInfinity) {
  Histogram histogram(Histogram::kBriefly);
  histogram.Observe(-7);   // a clock that stepped counts as no time at all
  histogram.Observe(500);  // on a bound: inside it
  histogram.Observe(501);
  histogram.Observe(8'192'000);
  histogram.Observe(60'000'000);
  MetricsWriter writer;
  writer.Histogram("spool_commit_seconds", "Commit.", {{"kind", "x"}}, histogram.snapshot());
  EXPECT_EQ(writer.Text(),
            "# HELP spool_commit_seconds Commit.\n"
            "# TYPE spool_commit_seconds histogram\n"
            "spool_commit_seconds_count{kind=\"x\"} 5\n"
            "spool_commit_seconds_sum{kind=\"x\"} 68.193001\n"
            "spool_commit_seconds_bucket{kind=\"x\",le=\"0.0005\"} 2\n"
            "spool_commit_seconds_bucket{kind=\"x\",le=\"0.001\"} 3\n"
            "spool_commit_seconds_bucket{kind=\"x\",le=\"0.002\"} 3\n"
            "spool_commit_seconds_bucket{kind=\"x\",le=\"0.004\"} 3\n"
            "spool_commit_seconds_bucket{kind=\"x\",le=\"0.008\"} 3\n"
            "spool_commit_seconds_bucket{kind=\"x\",le=\"0.016\"} 3\n"
            "spool_commit_seconds_bucket{kind=\"x\",le=\"0.032\"} 3\n"
            "spool_commit_seconds_bucket{kind=\"x\",le=\"0.064\"} 3\n"
            "spool_commit_seconds_bucket{kind=\"x\",le=\"0.128\"} 3\n"
            "spool_commit_seconds_bucket{kind=\"x\",le=\"0.256\"} 3\n"
            "spool_commit_seconds_bucket{kind=\"x\",le=\"0.512\"} 3\n"
            "spool_commit_seconds_bucket{kind=\"x\",le=\"1.024\"} 3\n"
            "spool_commit_seconds_bucket{kind=\"x\",le=\"2.048\"} 3\n"
            "spool_commit_seconds_bucket{kind=\"x\",le=\"4.096\"} 3\n"
            "spool_commit_seconds_bucket{kind=\"x\",le=\"8.192\"} 4\n"
            "spool_commit_seconds_bucket{kind=\"x\",le=\"+Inf\"} 5\n");
}

TEST(Metrics, BoundsGrowByTheFactorOfTheirScale) {
  Histogram latencies(Histogram::kForHours);
  latencies.Observe(4000, 3);  // on the second bound
  latencies.Observe(18'000'000'000);
  const auto latency = latencies.snapshot();
  ASSERT_EQ(latency.bounds.size(), 13u);
  EXPECT_DOUBLE_EQ(latency.bounds[0], 0.001);
  EXPECT_DOUBLE_EQ(latency.bounds[1], 0.004);
  EXPECT_DOUBLE_EQ(latency.bounds[12], 16777.216);
  EXPECT_EQ(latency.counts[1], 3u);
  EXPECT_EQ(latency.counts[13], 1u);
  EXPECT_DOUBLE_EQ(latency.sum, 18000.012);

  Histogram sizes(Histogram::kCounts);
  for (const int size : {0, 1, 2, 3, 65536, 65537}) sizes.Observe(size);
  const auto size = sizes.snapshot();
  EXPECT_EQ(size.counts,
            (std::vector<uint64_t>{2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1}));
  EXPECT_DOUBLE_EQ(size.bounds.back(), 65536);
}

TEST(Metrics, ObservationsFromManyThreadsAreAllCounted) {
  Histogram histogram(Histogram::kBriefly);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 10'000; ++i) histogram.Observe(i);
      });
    }
  }
  const auto snapshot = histogram.snapshot();
  uint64_t total = 0;
  for (const uint64_t count : snapshot.counts) total += count;
  EXPECT_EQ(total, 40'000u);
  EXPECT_DOUBLE_EQ(snapshot.sum, 4 * 49.995);
}

TEST(Metrics, TheProcessTellsOfItself) {
  const std::vector<char> held(32 << 20, 1);
  MetricsWriter writer;
  writer.Process();
  const std::string text = writer.Text();
  EXPECT_GT(ValueOf(text, "process_resident_memory_bytes"), static_cast<double>(held.size()));
  EXPECT_LT(ValueOf(text, "process_resident_memory_bytes"), 16e9);
  EXPECT_GE(ValueOf(text, "process_cpu_seconds_total"), 0);
  EXPECT_GE(ValueOf(text, "process_open_fds"), 3);
  EXPECT_GE(ValueOf(text, "process_max_fds"), ValueOf(text, "process_open_fds"));
  const auto now = static_cast<double>(std::time(nullptr));
  EXPECT_NEAR(ValueOf(text, "process_start_time_seconds"), now, 600);
  EXPECT_THAT(text, HasSubstr("# TYPE process_cpu_seconds_total counter\n"));
}

}  // namespace
}  // namespace spool
