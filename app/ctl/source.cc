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
  details.Add("Received", Count(source["requests"].Number(), "request") + ", " +
                              FormatBytes(source["bytes"].Number()));
  details.Add("Stored", Count(source["events"].Number(), "event"));
  details.Add("Duplicates",
              Count(source["duplicates"].Number(), "event") + " it had stored before");
  details.Add("Quarantined",
              Count(source["quarantined"].Number(), "event") + " that could not be understood");
  details.Add("Rejected", Count(source["rejected"].Number(), "request") + ", of these " +
                              Thousands(source["throttled"].Number()) + " beyond its quota");
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

int SourceLs(Session& session) {
  const Outcome<Json> answer = session.client.Get("/api/v1/sources");
  if (!answer) return session.End(answer.error());
  session.out.List((*answer)["items"].items(), kView);
  return kDone;
}

}  // namespace spool::ctl
