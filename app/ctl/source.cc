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

int SourceLs(Session& session) {
  const Outcome<Json> answer = session.client.Get("/api/v1/sources");
  if (!answer) return session.End(answer.error());
  session.out.List((*answer)["items"].items(), {"source", "sources", "name", SourceTable});
  return kDone;
}

}  // namespace spool::ctl
