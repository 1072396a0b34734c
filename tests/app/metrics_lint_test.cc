// The metrics page under the rules that promtool's `check metrics` lints by, and a few counts that
// need a run of their own.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "tests/support/app_http.h"

namespace spool::testing {
namespace {

struct Family {
  std::string type;
  std::string help;
  // By labels without `le`: the cumulative buckets in the page's order, and the count.
  std::map<std::string, std::vector<double>> buckets;
  std::map<std::string, double> counts;
  std::vector<std::string> labels;
};

// Families of a page, and what is wrong with their form.
std::map<std::string, Family> Parse(const std::string& page, std::vector<std::string>* wrong) {
  std::map<std::string, Family> families;
  std::istringstream lines(page);
  const std::regex sample(R"re(^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(.*)\})? (\S+)$)re");
  const std::regex label(R"re(([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?)re");
  std::string current;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, kind, name, rest;
    if (line.starts_with("# ")) {
      words >> hash >> kind >> name;
      std::getline(words, rest);
      if (name != current && families.contains(name)) wrong->push_back(name + " is in two places");
      current = name;
      (kind == "HELP" ? families[name].help : families[name].type) = rest.substr(1);
      continue;
    }
    std::smatch match;
    if (!std::regex_match(line, match, sample)) {
      wrong->push_back("no sample: " + line);
      continue;
    }
    Family& family = families[current];
    const std::string of = match[1];
    const std::string text = match[3];
    std::string labels, le;
    size_t read = 0;
    for (auto it = std::sregex_iterator(text.begin(), text.end(), label);
         it != std::sregex_iterator(); ++it) {
      family.labels.push_back((*it)[1]);
      ((*it)[1] == "le" ? le : labels) += (*it)[1].str() + "=" + (*it)[2].str() + ";";
      read += static_cast<size_t>(it->length());
    }
    if (read != text.size()) wrong->push_back("labels: " + line);
    const double value = std::stod(match[4]);
    if (family.type == "histogram") {
      if (of == current + "_bucket") family.buckets[labels].push_back(value);
      if (of == current + "_count") family.counts[labels] = value;
      if (of == current + "_bucket" && le.empty()) wrong->push_back("no le: " + line);
    } else if (of != current) {
      wrong->push_back(of + " stands below " + current);
    }
  }
  return families;
}

std::vector<std::string> Lint(const std::string& page) {
  std::vector<std::string> wrong;
  if (!page.ends_with('\n')) wrong.push_back("the last line has no end");
  for (const auto& [name, family] : Parse(page, &wrong)) {
    const auto complain = [&, &name = name](const std::string& what) {
      wrong.push_back(name + ": " + what);
    };
    const bool histogram = family.type == "histogram";
    if (family.help.empty()) complain("no help text");
    if (family.type.empty()) complain("no type");
    if ((family.type == "counter") != name.ends_with("_total")) complain("counters end in _total");
    for (const char* end : {"_count", "_sum", "_bucket", "_info_total"}) {
      if (name.ends_with(end)) complain("a suffix of histograms");
    }
    for (const char* type : {"gauge", "counter", "histogram", "summary", "untyped"}) {
      if (name.find(type) != name.npos) complain("the type is in the name");
    }
    // Not milli, kilo or minutes; base units have their whole names.
    const std::regex unit(
        "(^|_)(milli|micro|nano|kilo|mega|giga|kibi|mebi|gibi)?"
        "(seconds|bytes|meters|grams|celsius|ratio)(_|$)");
    const std::regex other(
        "(^|_)(ms|us|ns|sec|secs|minutes|hours|days|percent|kb|mb|kib|mib|"
        "bits|fahrenheit)(_|$)");
    std::smatch match;
    if (std::regex_search(name, match, unit) && match[2].matched) complain("no base unit");
    if (std::regex_search(name, other)) complain("an abbreviated or other unit");
    if (std::regex_search(name, std::regex("[A-Z:]"))) complain("snake_case has no capitals");
    for (const std::string& label : family.labels) {
      if (label == "le" && !histogram) complain("le belongs to histograms");
      if (label == "quantile") complain("quantile belongs to summaries");
      if (std::regex_search(label, std::regex("[A-Z]")) || label.starts_with("__")) {
        complain("the label " + label);
      }
      if (name.find("_by_" + label) != name.npos) complain("a label in the name");
    }
    for (const auto& [labels, buckets] : family.buckets) {
      if (!std::is_sorted(buckets.begin(), buckets.end())) complain("buckets do not accumulate");
      if (!family.counts.contains(labels) || family.counts.at(labels) != buckets.back()) {
        complain("the last bucket is not the count");
      }
    }
  }
  return wrong;
}

std::string Joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

double Sample(const std::string& page, const std::string& sample) {
  const std::string text = "\n" + page;
  const size_t at = text.find("\n" + sample + " ");
  return at == text.npos ? -1 : std::stod(text.substr(at + sample.size() + 2));
}

class Lints : public ::testing::Test {
 protected:
  Config TheConfig() {
    std::ofstream(dir_ / "token") << "the-token";
    Config config = TestConfig(dir_.path());
    config.targets = {FileTarget("out", dir_ / "out.jsonl")};
    config.admin.tokens = {{Secret::FromFile(dir_ / "token"), "admin", ""}};
    return config;
  }
  HttpReply Get(const RunningService& service, const std::string& path) const {
    return Call("GET", service.admin(), path, "", headers_);
  }
  const AppDir dir_;
  const HttpHeaders headers_{{"Authorization", "Bearer the-token"}};
};

TEST_F(Lints, ThePageIsClean) {
  const RunningService service(TheConfig());
  ASSERT_EQ(service.PostEvents(20).status, 200);
  ASSERT_TRUE(WaitUntil([&] { return CountLines(dir_ / "out.jsonl") == 20; }));
  const std::string page = Get(service, "/metrics").body;
  const std::vector<std::string> wrong = Lint(page);
  EXPECT_TRUE(wrong.empty()) << Joined(wrong);
  std::vector<std::string> none;
  EXPECT_GT(Parse(page, &none).size(), 60u);
}

TEST_F(Lints, FaultsAreSeen) {
  const auto one = [](const std::string& name, const std::string& type) {
    return "# HELP " + name + " Text.\n# TYPE " + name + " " + type + "\n";
  };
  EXPECT_TRUE(Lint(one("spool_x_total", "counter") + "spool_x_total{a=\"b,}\"} 1\n").empty());
  for (const std::string& page :
       {one("spool_x", "counter") + "spool_x 1\n",
        one("spool_x_total", "gauge") + "spool_x_total 1\n",
        one("spool_x_milliseconds", "gauge") + "spool_x_milliseconds 1\n",
        one("spool_x_ms", "gauge") + "spool_x_ms 1\n",
        one("spool_gauge", "gauge") + "spool_gauge 1\n",
        one("spool_x_count", "gauge") + "spool_x_count 1\n",
        one("spool_X", "gauge") + "spool_X 1\n", one("spool_x", "gauge") + "spool_x{le=\"1\"} 1\n",
        std::string("spool_x 1\n"), one("spool_x", "gauge") + "spool_x{a=b} 1\n",
        one("spool_x", "gauge") + "spool_x 1",
        one("spool_x", "gauge") + "spool_x 1\n" + one("spool_y", "gauge") + "spool_y 1\n" +
            one("spool_x", "gauge") + "spool_x 1\n",
        one("spool_h", "histogram") +
            "spool_h_bucket{le=\"1\"} 2\nspool_h_bucket{le=\"+Inf\"} 1\n" +
            "spool_h_sum 1\nspool_h_count 1\n",
        one("spool_h", "histogram") +
            "spool_h_bucket{le=\"+Inf\"} 1\nspool_h_sum 1\nspool_h_count 2\n"}) {
    EXPECT_FALSE(Lint(page).empty()) << page;
  }
}

TEST_F(Lints, ReplaysAndSecretsAreCounted) {
  const auto begun = std::chrono::duration<double>(RealClock().Now().time_since_epoch()).count();
  {
    const RunningService service(TheConfig());
    ASSERT_EQ(service.PostEvents(20).status, 200);
    ASSERT_EQ(
        Call("POST", service.admin(), "/api/v1/replays", R"({"target":"out","from":"1"})", headers_)
            .status,
        201);
    ASSERT_TRUE(WaitUntil([&] {
      return Sample(Get(service, "/metrics").body,
                    R"(spool_replay_events_total{target="out",result="delivered"})") == 20;
    }));
    const std::string page = Get(service, "/metrics").body;
    EXPECT_EQ(Sample(page, R"(spool_replay_events_total{target="out",result="rejected"})"), 0);
    EXPECT_GE(
        Sample(page, "spool_secret_loaded_timestamp_seconds{name=\"file:" + dir_ / "token" + "\"}"),
        begun - 1);
  }
  // The job is still remembered; what it did was done before this start.
  const RunningService service(TheConfig());
  EXPECT_EQ(Sample(Get(service, "/metrics").body,
                   R"(spool_replay_events_total{target="out",result="delivered"})"),
            0);
}

}  // namespace
}  // namespace spool::testing
