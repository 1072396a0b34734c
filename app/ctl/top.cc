#include "app/ctl/top.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <sstream>

#include "app/ctl/arguments.h"
#include "app/ctl/command_line.h"
#include "app/ctl/commands.h"
#include "app/ctl/screen.h"
#include "app/ctl/text.h"
#include "base/time_text.h"

namespace spool::ctl {
namespace {

constexpr TopSort kSorts[] = {TopSort::kLag, TopSort::kRate, TopSort::kDead, TopSort::kName};
constexpr Micros kIntervalMin{200'000};
constexpr Micros kIntervalMax{3600'000'000};

std::string RateText(double rate) {
  if (rate < 0) return "-";
  if (rate > 0 && rate < 10) {
    const auto tenths = static_cast<uint64_t>(rate * 10 + 0.5);
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + "/s";
  }
  return Thousands(static_cast<uint64_t>(rate + 0.5)) + "/s";
}

double LagOf(const Json& target) {
  const Json lag = target["lag_seconds"];
  return lag.is_null() ? -1 : lag.Real();
}

Cell StateCell(const std::string& state) {
  if (state == "ok" || state == "up") return {state, Style::kGood};
  return {state, state == "hold" || state == "down" ? Style::kBad : Style::kWarn};
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The table's lines, with the replicas' names in front when there are several.
std::vector<std::string> Laid(Table table, const std::vector<std::string>& replicas, bool many,
                              const TopLook& look) {
  if (table.empty()) return {};
  if (many) table.AddFront({"REPLICA", false, 6}, replicas);
  return LinesOf(table.Render({true, look.colour, look.columns}));
}

}  // namespace

std::string_view TopSortName(TopSort sort) {
  switch (sort) {
    case TopSort::kLag: return "lag";
    case TopSort::kRate: return "rate";
    case TopSort::kDead: return "dead";
    case TopSort::kName: return "name";
  }
  return "lag";
}

std::vector<TopPage::Row> TopPage::RowsOf(const char* list, const char* counter, SteadyTime now) {
  std::vector<Row> rows;
  for (const TopAnswer& answer : answers_) {
    for (const Json& item : answer.status[list].items()) {
      Row row{answer.replica, item["name"].Text(), item};
      const std::string key = answer.replica + "/" + list + "/" + row.name;
      const uint64_t value = item[counter].Number();
      const auto known = counts_.find(key);
      Count count{value, now, -1};
      if (known != counts_.end()) {
        const double seconds = std::chrono::duration<double>(now - known->second.at).count();
        const uint64_t before = known->second.value;  // a restart begins anew
        if (seconds > 0 && value >= before) {
          count.rate = static_cast<double>(value - before) / seconds;
        }
      }
      row.rate = count.rate;
      counts_[key] = count;
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

void TopPage::Update(const std::vector<TopAnswer>& answers, const std::string& server,
                     SteadyTime now) {
  answers_ = answers;
  server_ = server;
  sources_ = RowsOf("sources", "events", now);
  targets_ = RowsOf("targets", "delivered", now);
  streams_ = RowsOf("streams", "events", now);
}

std::vector<std::string> TopPage::Head(const TopLook& look) const {
  std::vector<std::string> lines;
  for (const TopAnswer& answer : answers_) {
    const std::string name = answers_.size() > 1 ? Visible(answer.replica) : Visible(server_);
    if (answer.status.is_null()) {
      lines.push_back(
          Paint(name + "  does not answer: " + Visible(answer.why), Style::kBad, look.colour));
      continue;
    }
    const Json& status = answer.status;
    const bool ready = status["ready"].Flag();
    const uint64_t first = status["sequence"]["first"].Number();
    const uint64_t end = status["sequence"]["end"].Number();
    const Json disk = status["disk"];
    std::string line =
        Paint(name, Style::kBold, look.colour) + "  " +
        Paint(ready ? "ready" : "not ready", ready ? Style::kGood : Style::kBad, look.colour) +
        "  up " + FormatAge(std::chrono::seconds(status["uptime_seconds"].Number())) + "  " +
        spool::ctl::Count(end > first ? end - first : 0, "event") + "  disk " +
        FormatBytes(disk["used_bytes"].Number());
    if (!disk["free_bytes"].is_null())
      line += ", " + FormatBytes(disk["free_bytes"].Number()) + " free";
    const uint64_t replays = status["replays_running"].Number();
    if (replays > 0) line += "  " + spool::ctl::Count(replays, "replay");
    lines.push_back(line);
    for (const Json& warning : status["warnings"].items()) {
      lines.push_back(Paint("! " + Visible(warning.Text()), Style::kWarn, look.colour));
    }
  }
  return lines;
}

std::vector<std::string> TopPage::Sources(const TopLook& look) const {
  Table table({{"SOURCE", false, 8},
               {"STATE"},
               {"RATE", true},
               {"EVENTS", true},
               {"REJECTED", true},
               {"QUARANTINE", true},
               {"LAST", true}});
  std::vector<std::string> replicas;
  for (const Row& row : sources_) {
    table.Add({row.name, StateCell(row.json["state"].Text()), RateText(row.rate),
               Thousands(row.json["events"].Number()), Thousands(row.json["rejected"].Number()),
               Thousands(row.json["quarantined"].Number()), AgeOf(row.json["last_event"])});
    replicas.push_back(row.replica);
  }
  return Laid(std::move(table), replicas, answers_.size() > 1, look);
}

std::vector<std::string> TopPage::Targets(const TopLook& look) const {
  std::vector<Row> rows = targets_;
  std::ranges::stable_sort(rows, [&](const Row& a, const Row& b) {
    switch (look.sort) {
      case TopSort::kLag:
        if (LagOf(a.json) != LagOf(b.json)) return LagOf(a.json) > LagOf(b.json);
        return a.json["lag_events"].Number() > b.json["lag_events"].Number();
      case TopSort::kRate: return a.rate > b.rate;
      case TopSort::kDead:
        return a.json["dead_lettered"].Number() > b.json["dead_lettered"].Number();
      case TopSort::kName: return a.name < b.name;
    }
    return false;
  });
  // What goes wrong is worth more room than what went wrong before.
  const bool wide = look.columns == 0 || look.columns >= 100;
  std::vector<Column> columns = {{"TARGET", false, 8}, {"STATE"},        {"RATE", true},
                                 {"LAG", true},        {"BEHIND", true}, {"DEAD", true}};
  if (wide) columns.insert(columns.end(), {{"DELIVERED", true}, {"RETRIES", true}});
  columns.push_back({"LAST-ERROR", false, 5});
  Table table(columns);
  std::vector<std::string> replicas;
  for (const Row& row : rows) {
    const double lag = LagOf(row.json);
    std::vector<Cell> cells = {row.name,
                               StateCell(row.json["state"].Text()),
                               RateText(row.rate),
                               Thousands(row.json["lag_events"].Number()),
                               lag < 0 ? "-" : FormatAge(Micros(static_cast<int64_t>(lag * 1e6))),
                               Thousands(row.json["dead_lettered"].Number())};
    if (wide) {
      cells.emplace_back(Thousands(row.json["delivered"].Number()));
      cells.emplace_back(Thousands(row.json["retries"].Number()));
    }
    cells.emplace_back(row.json["last_error"].Text());
    table.Add(std::move(cells));
    replicas.push_back(row.replica);
  }
  return Laid(std::move(table), replicas, answers_.size() > 1, look);
}

std::vector<std::string> TopPage::Streams(const TopLook& look) const {
  Table table({{"STREAM", false, 10},
               {"EVENTS", true},
               {"SIZE", true},
               {"OLDEST", true},
               {"NEWEST", true},
               {"STATE"}});
  std::vector<std::string> replicas;
  for (const Row& row : streams_) {
    const bool full = row.json["full"].Flag();
    table.Add({row.name, Thousands(row.json["events"].Number()),
               FormatBytes(row.json["bytes"].Number()), AgeOf(row.json["oldest"]),
               AgeOf(row.json["newest"]),
               full ? Cell("full", Style::kBad) : Cell("ok", Style::kGood)});
    replicas.push_back(row.replica);
  }
  return Laid(std::move(table), replicas, answers_.size() > 1, look);
}

std::vector<std::string> TopPage::Lines(const TopLook& look) const {
  std::vector<std::string> lines = Head(look);
  const size_t room = look.rows == 0 ? SIZE_MAX : look.rows - (look.keys ? 1 : 0);
  // Targets are what one looks for: the rest has what room they leave.
  const std::vector<std::string> parts[] = {Targets(look), Sources(look), Streams(look)};
  for (const std::vector<std::string>& part : parts) {
    if (part.empty() || lines.size() + 3 > room) continue;
    lines.emplace_back();
    const size_t fits = std::min(part.size(), room - lines.size());
    lines.insert(lines.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(fits));
    if (fits < part.size()) {
      lines.back() = "... " + std::to_string(part.size() - fits + 1) + " more";
    }
  }
  if (!look.keys) return lines;
  if (lines.size() > room) lines.resize(room);
  while (look.rows > 0 && lines.size() < room) lines.emplace_back();
  lines.push_back(Paint("q quit   s sort by " + std::string(TopSortName(look.sort)) +
                            "   + - every " + FormatDuration(look.interval),
                        Style::kDim, look.colour));
  return lines;
}

namespace {

std::vector<TopAnswer> Look(Session& session) {
  std::vector<TopAnswer> answers;
  for (const Replica& replica : *session.replicas) {
    const Outcome<Json> status = replica.client->Get("/api/v1/status");
    answers.push_back(
        {replica.name, status ? *status : Json(), status ? "" : status.error().message});
    if (session.interrupt.raised()) break;
  }
  return answers;
}

int OneFrame(Session& session, TopSort sort) {
  TopPage page;
  const std::vector<TopAnswer> answers = Look(session);
  page.Update(answers, session.client.server(), RealClock().Steady());
  TopLook look;
  look.columns = session.out.width();
  look.rows = 0;
  look.colour = session.out.colour();
  look.sort = sort;
  look.keys = false;
  size_t silent = 0;
  for (const TopAnswer& answer : answers) silent += answer.status.is_null() ? 1 : 0;
  if (silent == answers.size()) return session.End({kUnreachable, answers.front().why, ""});
  for (const std::string& line : page.Lines(look)) {
    session.out.Line(look.columns > 0 ? Clip(line, look.columns) + (look.colour ? "\x1b[0m" : "")
                                      : line);
  }
  return silent > 0 ? kPartly : kDone;
}

}  // namespace

int Top(Session& session, Micros interval, TopSort sort, bool once) {
  if (!session.out.human()) {
    return session.End({kUsage, "top is a screen for people", "see 'spoolctl status -o json'"});
  }
  if (once || !session.out.terminal()) return OneFrame(session, sort);
  // Who cannot be reached at all is told in the shell, not in a screen that is gone at once.
  const std::vector<TopAnswer> first = Look(session);
  if (std::ranges::all_of(first, [](const TopAnswer& a) { return a.status.is_null(); })) {
    return OneFrame(session, sort);
  }
  const Interrupt::Gentle gentle(session.interrupt);
  std::optional<Screen> screen = Screen::Take();
  if (!screen) return OneFrame(session, sort);
  TopPage page;
  page.Update(first, session.client.server(), RealClock().Steady());
  SteadyTime next = RealClock().Steady() + std::min(interval, Micros(1'000'000));
  for (;;) {
    const Screen::Size size = screen->size();
    TopLook look{size.columns, size.rows, session.out.colour(), sort, true, interval};
    if (!screen->Paint(page.Lines(look))) return kFailed;
    while (RealClock().Steady() < next) {
      if (session.interrupt.raised()) return kDone;
      const auto left = std::chrono::duration_cast<Millis>(next - RealClock().Steady());
      const int key = screen->Key(std::max(left, Millis(1)));
      if (key < 0 || key == 'q' || key == 'Q') return kDone;
      if (key == 's') sort = kSorts[(static_cast<size_t>(sort) + 1) % std::size(kSorts)];
      if (key == '+' || key == '=') interval = std::min(interval * 2, kIntervalMax);
      if (key == '-') interval = std::max(interval / 2, kIntervalMin);
      if (key != 0 || !(screen->size() == size)) break;
    }
    if (RealClock().Steady() < next) continue;
    const std::vector<TopAnswer> answers = Look(session);
    if (session.interrupt.raised()) return kDone;
    page.Update(answers, session.client.server(), RealClock().Steady());
    next = RealClock().Steady() + interval;
  }
}

void AddTop(CLI::App& app, Chosen& chosen) {
  struct Words {
    std::string interval = "2s";
    std::string sort = "lag";
    bool once = false;
  };
  const auto words = std::make_shared<Words>();
  CLI::App* command = AddCommand(
      app, "top", "A live screen: targets by lag, sources by rate, streams; q ends it",
      "spoolctl top --once --sort rate", chosen,
      [words](Session& session) -> Outcome<int> {
        const auto sort =
            std::ranges::find_if(kSorts, [&](TopSort s) { return TopSortName(s) == words->sort; });
        return Top(session, *ParseDuration(words->interval), *sort, words->once);
      },
      true);
  command->add_option("--interval", words->interval, "how often it looks (default 2s)")
      ->type_name("DURATION")
      ->check(
          [](const std::string& text) {
            const Result<Micros> interval = ParseDuration(text);
            if (!interval) return interval.error().message;
            return *interval < kIntervalMin || *interval > kIntervalMax
                       ? std::string("it must lie between 200ms and 1h")
                       : std::string();
          },
          "");
  command->add_option("--sort", words->sort, "targets by lag (default), rate, dead or name")
      ->type_name("KEY")
      ->check(CLI::IsMember({"lag", "rate", "dead", "name"}), "");
  command->add_flag("--once", words->once, "one frame, as in a pipe");
}

}  // namespace spool::ctl
