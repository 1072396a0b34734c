#include "app/ctl/check.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "app/ctl/command_line.h"
#include "app/ctl/text.h"
#include "base/time_text.h"

namespace spool::ctl {
namespace {

// Pagers and mail subjects show so much; the rest is in `spoolctl status`.
constexpr size_t kFindingsShown = 6;
constexpr const char* kLevels[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

// Unknown is less urgent than critical, more than a warning.
int Rank(int level) {
  constexpr int kRanks[] = {0, 1, 3, 2};
  return kRanks[level];
}

int LevelOf(double value, const Threshold& threshold) {
  if (threshold.critical && value >= *threshold.critical) return kCheckCritical;
  if (threshold.warning && value >= *threshold.warning) return kCheckWarning;
  return kCheckOk;
}

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", std::round(value * 100) / 100);
  return text;
}

// A label may hold anything but these.
std::string Label(std::string name) {
  for (char& c : name) {
    if (c == '=' || c == '\'' || c == '|') c = '_';
  }
  return "'" + Visible(name) + "'";
}

std::string WithoutBar(std::string text) {
  std::ranges::replace(text, '|', '/');
  return text;
}

class Judgement {
 public:
  explicit Judgement(const CheckOptions& options) : options_(options) {}

  void Server(const Json& status);
  void Disk(const Json& disk);
  void Target(const Json& target, const Json& letters);
  void Holding();
  void NoSuchTargets();
  Checked Take(const Json& status);

 private:
  void Find(int level, std::string text) {
    if (level != kCheckOk) checked_.findings.push_back({level, std::move(text)});
  }
  bool IsWanted(const std::string& name) const {
    return options_.targets.empty() ||
           std::ranges::find(options_.targets, name) != options_.targets.end();
  }

  const CheckOptions& options_;
  Checked checked_;
  std::vector<std::string> seen_;
  std::vector<std::string> holding_;
  double lag_max_ = 0;
};

void Judgement::Server(const Json& status) {
  if (!status["ready"].Flag()) Find(kCheckCritical, "spoold is not ready");
  if (!status["accounted"].is_null() && !status["accounted"].Flag()) {
    Find(kCheckCritical, "the sums of a target do not agree");
  }
  for (const Json& warning : status["warnings"].items()) {
    std::string text = Visible(warning.Text());
    if (text.ends_with('.')) text.pop_back();
    Find(kCheckWarning, text);
  }
}

void Judgement::Disk(const Json& disk) {
  const double capacity = disk["capacity_bytes"].Real();
  if (capacity > 0) {
    const double used = (1 - disk["free_bytes"].Real() / capacity) * 100;
    Find(LevelOf(used, options_.disk), "the volume is " + Number(std::floor(used)) + "% full");
    checked_.measures.push_back({"disk_used", "%", used, options_.disk, 100});
  }
  if (disk["below_reserve"].Flag()) {
    Find(kCheckCritical, "the volume is below its reserve: new events are refused");
  }
  checked_.measures.push_back({"journal", "B", disk["used_bytes"].Real(), {}, {}});
}

void Judgement::Target(const Json& target, const Json& letters) {
  const std::string raw = target["name"].Text();
  if (!IsWanted(raw)) return;
  seen_.push_back(raw);
  const std::string name = Visible(raw);
  const std::string state = target["state"].Text();
  const std::string error = Visible(target["last_error"].Text());
  if (state == "hold")
    holding_.push_back(name + " holds" + (error.empty() ? "" : " (" + error + ")"));
  const Json lag = target["lag_seconds"];
  if (!lag.is_null()) {
    lag_max_ = std::max(lag_max_, lag.Real());
    const int level = LevelOf(lag.Real(), options_.lag);
    Find(level, name + " is " + FormatAge(Micros(static_cast<int64_t>(lag.Real() * 1e6))) +
                    " behind" + (state == "backoff" && !error.empty() ? " (" + error + ")" : ""));
    checked_.measures.push_back({"lag_" + raw, "s", lag.Real(), options_.lag, {}});
  }
  if (state == "paused" && target["pending"].Number() > 0) {
    Find(kCheckWarning,
         name + " is paused with " + Count(target["pending"].Number(), "event") + " waiting");
  }
  checked_.measures.push_back({"pending_" + raw, "", target["pending"].Real(), {}, {}});
  for (const Json& of : letters.items()) {
    if (of["target"].Text() != raw) continue;
    const double count = of["count"].Real();
    Find(LevelOf(count, options_.dead),
         name + " has " + Count(of["count"].Number(), "dead letter"));
    checked_.measures.push_back({"dead_" + raw, "", count, options_.dead, {}});
  }
}

void Judgement::Holding() {
  const auto count = static_cast<double>(holding_.size());
  const int level = LevelOf(count, options_.hold);
  for (const std::string& text : holding_) Find(level, text);
  checked_.measures.push_back({"holding", "", count, options_.hold, {}});
}

void Judgement::NoSuchTargets() {
  for (const std::string& name : options_.targets) {
    if (std::ranges::find(seen_, name) != seen_.end()) continue;
    Find(kCheckUnknown, "there is no target '" + Visible(name) + "'");
  }
}

Checked Judgement::Take(const Json& status) {
  std::ranges::stable_sort(checked_.findings, [](const Finding& a, const Finding& b) {
    return Rank(a.level) > Rank(b.level);
  });
  const uint64_t first = status["sequence"]["first"].Number();
  const uint64_t end = status["sequence"]["end"].Number();
  checked_.summary = Count(end > first ? end - first : 0, "event") + " stored, " +
                     Count(seen_.size(), "target") + ", at most " +
                     FormatAge(Micros(static_cast<int64_t>(lag_max_ * 1e6))) + " behind";
  return std::move(checked_);
}

Checked OfFailure(const Failure& failure) {
  Checked checked;
  // Who does not answer may be down; who does not like our token is not known to be.
  checked.findings.push_back(
      {failure.exit == kUnreachable ? kCheckCritical : kCheckUnknown, failure.message});
  return checked;
}

void Append(Checked& all, Checked one, const std::string& replica) {
  for (Finding& finding : one.findings) {
    all.findings.push_back({finding.level, Visible(replica) + ": " + finding.text});
  }
  for (Measure& measure : one.measures) {
    measure.name = replica + "/" + measure.name;
    all.measures.push_back(std::move(measure));
  }
  if (!one.summary.empty()) {
    all.summary += (all.summary.empty() ? "" : "; ") + Visible(replica) + ": " + one.summary;
  }
  std::ranges::stable_sort(all.findings, [](const Finding& a, const Finding& b) {
    return Rank(a.level) > Rank(b.level);
  });
}

std::string AsJson(const Checked& checked) {
  std::string findings;
  for (const Finding& finding : checked.findings) {
    JsonObject object;
    object.Add("status", kLevels[finding.level]).Add("text", finding.text);
    findings += (findings.empty() ? "" : ",") + object.text();
  }
  std::string measures;
  const auto number = [](const std::optional<double>& value) {
    return value ? Number(*value) : std::string("null");
  };
  for (const Measure& measure : checked.measures) {
    JsonObject object;
    object.Add("name", measure.name)
        .Add("unit", measure.unit)
        .AddRaw("value", Number(measure.value))
        .AddRaw("warning", number(measure.threshold.warning))
        .AddRaw("critical", number(measure.threshold.critical));
    measures += (measures.empty() ? "" : ",") + object.text();
  }
  JsonObject object;
  object.Add("status", kLevels[checked.level()])
      .AddRaw("findings", "[" + findings + "]")
      .AddRaw("measures", "[" + measures + "]");
  return object.text();
}

// One side of "5m,1h".
Result<std::optional<double>> ParseSide(const std::string& text, bool duration) {
  if (text == "-") return std::optional<double>();
  if (duration) {
    const Result<Micros> time = ParseDuration(text);
    if (!time) return tl::unexpected(time.error());
    return std::optional<double>(static_cast<double>(time->count()) / 1e6);
  }
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  const std::string_view unit(rest, static_cast<size_t>(end - rest));
  if (error != std::errc() || !(value >= 0) || (!unit.empty() && unit != "%")) {
    return Fail(Code::kInvalid, "'" + text + "' is not a number");
  }
  return std::optional<double>(value);
}

}  // namespace

Result<Threshold> ParseThreshold(const std::string& text, bool durations) {
  const size_t comma = text.find(',');
  if (comma == text.npos) {
    return Fail(Code::kInvalid, std::string("it takes WARN,CRIT, such as ") +
                                    (durations ? "5m,1h" : "80,90") + "; '-' means never");
  }
  const auto warning = ParseSide(text.substr(0, comma), durations);
  if (!warning) return tl::unexpected(warning.error());
  const auto critical = ParseSide(text.substr(comma + 1), durations);
  if (!critical) return tl::unexpected(critical.error());
  if (*warning && *critical && **warning > **critical) {
    return Fail(Code::kInvalid, "the warning in '" + text + "' lies above the critical value");
  }
  return Threshold{*warning, *critical};
}

Checked Judge(const Json& status, const CheckOptions& options) {
  Judgement judgement(options);
  if (options.targets.empty()) {
    judgement.Server(status);
    judgement.Disk(status["disk"]);
  }
  for (const Json& target : status["targets"].items()) {
    judgement.Target(target, status["dead_letters"]);
  }
  judgement.Holding();
  judgement.NoSuchTargets();
  return judgement.Take(status);
}

std::string NagiosLine(const Checked& checked) {
  std::string text = std::string("SPOOL ") + kLevels[checked.level()] + " - ";
  if (checked.findings.empty()) text += checked.summary;
  for (size_t i = 0; i < checked.findings.size() && i < kFindingsShown; ++i) {
    text += (i == 0 ? "" : "; ") + checked.findings[i].text;
  }
  if (checked.findings.size() > kFindingsShown) {
    text += "; and " + std::to_string(checked.findings.size() - kFindingsShown) + " more";
  }
  std::string line = WithoutBar(Visible(text));
  const auto number = [](const std::optional<double>& v) { return v ? Number(*v) : ""; };
  for (const Measure& measure : checked.measures) {
    line += (&measure == checked.measures.data() ? " | " : " ") + Label(measure.name) + "=" +
            Number(measure.value) + measure.unit + ";" + number(measure.threshold.warning) + ";" +
            number(measure.threshold.critical) + ";0" +
            (measure.max ? ";" + Number(*measure.max) : "");
  }
  return line;
}

int Check(Session& session, const CheckOptions& options) {
  CheckOptions bare = options;
  for (std::string& name : bare.targets) name = Bare(name, "target");
  const bool many = session.replicas != nullptr && session.replicas->size() > 1;
  Checked checked;
  const auto look = [&](Client& client) {
    const Outcome<Json> status = client.Get("/api/v1/status");
    return status ? Judge(*status, bare) : OfFailure(status.error());
  };
  if (many) {
    for (const Replica& replica : *session.replicas) {
      Append(checked, look(*replica.client), replica.name);
    }
  } else {
    checked = look(session.client);
  }
  if (session.out.human() || session.out.format() == Format::kName) {
    session.out.Line(NagiosLine(checked));
  } else {
    session.out.One(*Json::Parse(AsJson(checked)), {"check", "checks", "status", nullptr}, nullptr);
  }
  return checked.level();
}

void AddCheck(CLI::App& app, Chosen& chosen) {
  struct Words {
    CheckOptions options;
    std::string lag, disk, dead, hold;
  };
  const auto words = std::make_shared<Words>();
  CLI::App* command = AddCommand(
      app, "check",
      "One line for Nagios: exit 0 OK, 1 WARNING, 2 CRITICAL (also when nobody answers), 3 UNKNOWN",
      "spoolctl check --lag 10m,1h --disk 80,95 --dead 1,100\n"
      "  spoolctl check --target kafka --dead -,-",
      chosen,
      [words](Session& session) -> Outcome<int> {
        const std::tuple<const std::string*, bool, Threshold*> all[] = {
            {&words->lag, true, &words->options.lag},
            {&words->disk, false, &words->options.disk},
            {&words->dead, false, &words->options.dead},
            {&words->hold, false, &words->options.hold}};
        for (const auto& [text, durations, into] : all) {
          if (!text->empty()) *into = *ParseThreshold(*text, durations);
        }
        return Check(session, words->options);
      },
      true);
  command->add_option("--target", words->options.targets, "only of this target, repeatable")
      ->type_name("NAME")
      ->allow_extra_args(false);
  const auto add = [&](const char* flag, std::string& into, bool durations, const char* what) {
    command->add_option(flag, into, what)
        ->type_name("WARN,CRIT")
        ->check(
            [durations](const std::string& text) {
              const Result<Threshold> threshold = ParseThreshold(text, durations);
              return threshold ? std::string() : threshold.error().message;
            },
            "");
  };
  add("--lag", words->lag, true, "how long an event has waited for a target (default 5m,1h)");
  add("--disk", words->disk, false, "percent of the volume that is used (default 80,90)");
  add("--dead", words->dead, false, "dead letters that a target has (default 1,100)");
  add("--hold", words->hold, false, "targets that hold, waiting for hands (default 1,1)");
}

}  // namespace spool::ctl
