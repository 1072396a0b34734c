#include <algorithm>

#include "app/ctl/commands.h"
#include "app/ctl/text.h"
#include "base/time_text.h"

namespace spool::ctl {

Table SourceTable(std::span<const Json> sources, bool wide) {
  std::vector<Column> columns = {{"SOURCE", false, 8}, {"TYPE", false, 6},  {"STATE"},
                                 {"EVENTS", true},     {"DUPLICATE", true}, {"QUARANTINE", true},
                                 {"REJECTED", true},   {"LAST", true}};
  if (wide) {
    columns.insert(columns.end(), {{"REQUESTS", true}, {"RECEIVED", true}, {"ADDRESS"}});
  }
  Table table(columns);
  for (const Json& source : sources) {
    const std::string state = source["state"].Text();
    const auto number = [&](const char* key) { return Cell(Thousands(source[key].Number())); };
    const bool good = state == "up";
    std::vector<Cell> row = {source["name"].Text(),
                             source["type"].Text(),
                             Cell(state, good ? Style::kGood : Style::kWarn),
                             number("events"),
                             number("duplicates"),
                             number("quarantined"),
                             number("rejected"),
                             AgeOf(source["last_event"])};
    if (wide) {
      row.push_back(number("requests"));
      row.emplace_back(FormatBytes(source["bytes"].Number()));
      row.emplace_back(source["address"].Text());
    }
    table.Add(std::move(row));
  }
  return table;
}

namespace {

const View kView{"source", "sources", "name", SourceTable};

std::string SourceDetails(const Json& source, bool colour) {
  Details details;
  details.Add("Name", source["name"].Text());
  details.Add("Type", source["type"].Text());
  const std::string state = source["state"].Text();
  details.Add("State", state, state == "up" ? Style::kGood : Style::kWarn);
  details.Add("Address", source["address"].Text());
  const bool http = source["type"].Text() == "http";
  const uint64_t times = source["requests"].Number();
  details.Add(http ? "Received" : "Fetched", (http         ? Count(times, "request")
                                              : times == 1 ? "1 batch"
                                                           : Thousands(times) + " batches") +
                                                 ", " + FormatBytes(source["bytes"].Number()));
  details.Add("Stored", Count(source["events"].Number(), "event"));
  details.Add("Duplicates",
              Count(source["duplicates"].Number(), "event") + " it had stored before");
  details.Add("Quarantined",
              Count(source["quarantined"].Number(), "event") + " that could not be understood");
  if (http) {
    details.Add("Rejected", Count(source["rejected"].Number(), "request") + ", of these " +
                                Thousands(source["throttled"].Number()) + " beyond its quota");
  } else {
    details.Add("Put off",
                Count(source["rejected"].Number(), "time") + " by the journal, and tried again");
  }
  if (const Json bytes = source["behind_bytes"]; !bytes.is_null()) {
    details.Add("Behind", FormatBytes(bytes.Number()) + " that are not fetched yet");
  }
  if (const Json messages = source["behind_messages"]; !messages.is_null()) {
    details.Add("Behind", Count(messages.Number(), "message") + " that are not fetched yet");
  }
  if (const std::string error = source["last_error"].Text(); !error.empty()) {
    const Json at = source["last_error_at"];
    details.Add("Last error", error + " (" + AgeOf(at) + " ago)", Style::kWarn);
  }
  const Json last = source["last_event"];
  details.Add("Last event", last.Time() ? TimeOf(last) + " (" + AgeOf(last) + " ago)" : "none yet");
  return details.Render(colour);
}

}  // namespace

int SourceInfo(Session& session, const std::string& wanted) {
  const std::string name = Bare(wanted, "source");
  const Outcome<Json> all = session.client.Get("/api/v1/sources");
  if (!all) return session.End(all.error());
  for (const Json& source : (*all)["items"].items()) {
    if (source["name"].Text() != name) continue;
    session.out.One(source, kView, [&] { return SourceDetails(source, session.out.colour()); });
    return kDone;
  }
  return session.End(
      WithSuggestion(session, {"source", "/api/v1/sources", "name"}, name, {kNotFound, "", ""}));
}

// What a cause means, for who does not know the words yet.
std::string WhyText(const std::string& cause) {
  if (cause == "stopped") return "spoold was told to end";
  if (cause == "crashed") return "spoold ended otherwise";
  if (cause == "drained") return "an operator drained it";
  if (cause == "full") return "a stream or the disk had no room";
  if (cause == "vanished") return "a file was removed before it was read";
  if (cause == "truncated") return "a file was cut, and no copy of it found";
  if (cause == "expired") return "a bus gave up messages before they were fetched";
  if (cause == "damaged") return "a compressed file cannot be read whole";
  return "-";
}

std::string LostText(const Json& gap) {
  return Count(gap["events"].Number(), "event") + " of " + gap["stream"].Text() + ", sequences " +
         std::to_string(gap["first"].Number()) + " to " + std::to_string(gap["end"].Number() - 1) +
         ", given up " + TimeOf(gap["time"]);
}

Table GapTable(std::span<const Json> gaps, bool wide) {
  std::vector<Column> columns;
  if (wide) columns.push_back({"ID"});
  columns.insert(columns.end(), {{"SOURCE", false, 8}, {"CAUSE"}, {"FROM"}});
  if (wide) columns.push_back({"TO"});
  columns.insert(columns.end(), {{"LASTED"}, {"DETAIL", false, 8}});
  Table table(columns);
  for (const Json& gap : gaps) {
    const bool lost = gap["source"].is_null();
    const bool open = !lost && gap["to"].is_null();
    const Json seconds = gap["seconds"];
    const std::string lasted = seconds.is_null()
                                   ? "-"
                                   : FormatAge(Micros(static_cast<int64_t>(seconds.Real() * 1e6))) +
                                         (open ? " so far" : "");
    std::vector<Cell> row;
    if (wide) row.emplace_back(gap["id"].Text());
    row.emplace_back(lost ? "any" : gap["source"].Text());
    row.emplace_back(gap["cause"].Text(), lost ? Style::kBad : Style::kPlain);
    row.emplace_back(TimeOf(gap["from"]));
    if (wide) row.emplace_back(TimeOf(gap["to"]));
    row.emplace_back(lasted, open ? Style::kWarn : Style::kPlain);
    row.emplace_back(lost ? LostText(gap) : WhyText(gap["cause"].Text()));
    table.Add(std::move(row));
  }
  return table;
}

// When sources took nothing. Of none is said that there is none; a name that is no source's and was
// none's is a slip.
int SourceGaps(Session& session, const std::string& wanted) {
  const std::string name = Bare(wanted, "source");
  const Outcome<Json> answer = session.client.Get(
      "/api/v1/source-gaps" + (name.empty() ? "" : "?source=" + PercentEncode(name)));
  if (!answer) return session.End(answer.error());
  const std::vector<Json> gaps = (*answer)["items"].items();
  const auto known = [&](std::span<const Json> all, const char* key) {
    return std::ranges::any_of(all, [&](const Json& one) { return one[key].Text() == name; });
  };
  if (!name.empty() && !known(gaps, "source")) {
    const Outcome<Json> sources = session.client.Get("/api/v1/sources");
    if (!sources) return session.End(sources.error());
    if (!known((*sources)["items"].items(), "name")) {
      return session.End(WithSuggestion(session, {"source", "/api/v1/sources", "name"}, name,
                                        {kNotFound, "", ""}));
    }
  }
  session.out.List(gaps, {"gap", "gaps", "id", GapTable});
  return kDone;
}

int SourceLs(Session& session) {
  const Outcome<Json> answer = session.client.Get("/api/v1/sources");
  if (!answer) return session.End(answer.error());
  session.out.List((*answer)["items"].items(), kView);
  return kDone;
}

}  // namespace spool::ctl
