#include "app/ctl/commands.h"
#include "app/ctl/text.h"
#include "base/time_text.h"

namespace spool::ctl {
namespace {

// "14d, 50 GiB": when events leave.
std::string Keeps(const Json& stream) {
  const Json retention = stream["retention"];
  std::string text;
  if (const uint64_t age = retention["age_seconds"].Number(); age > 0) {
    text = FormatAge(std::chrono::seconds(age));
  }
  if (const uint64_t bytes = retention["bytes"].Number(); bytes > 0) {
    std::string size = FormatBytes(bytes);
    if (const size_t at = size.find(".0 "); at != size.npos) size.erase(at, 2);
    text += (text.empty() ? "" : ", ") + size;
  }
  return text.empty() ? "all" : text;
}

std::string Ratio(const Json& stream) {
  const double bytes = stream["bytes"].Real();
  if (bytes <= 0) return "-";
  const auto tenths = static_cast<uint64_t>(stream["raw_bytes"].Real() / bytes * 10 + 0.5);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + ":1";
}

std::string StreamDetails(const Json& stream, bool colour) {
  Details details;
  details.Add("Name", stream["name"].Text());
  details.Add("Events", Thousands(stream["events"].Number()));
  details.Add("Size", FormatBytes(stream["bytes"].Number()) + " for " +
                          FormatBytes(stream["raw_bytes"].Number()) + " of events (" +
                          Ratio(stream) + ")");
  for (const auto& [label, key] : {std::pair("Oldest", "oldest"), std::pair("Newest", "newest")}) {
    const Json time = stream[key];
    details.Add(label, time.Time() ? TimeOf(time) + " (" + AgeOf(time) + " ago)" : "");
  }
  details.Add("First sequence", Thousands(stream["first_sequence"].Number()));
  details.Add("Keeps", Keeps(stream));
  const std::string when_full = stream["retention"]["when_full"].Text();
  if (stream["full"].Flag()) {
    details.Add("When full", when_full + "; it is full now", Style::kBad);
  } else {
    details.Add("When full", when_full);
  }
  const uint64_t evicted = stream["evicted"].Number();
  details.Add("Evicted", Count(evicted, "event"));
  return details.Render(colour);
}

const View kView{"stream", "streams", "name", StreamTable};

}  // namespace

Table StreamTable(std::span<const Json> streams, bool wide) {
  std::vector<Column> columns = {
      {"STREAM", false, 10}, {"EVENTS", true},    {"SIZE", true}, {"OLDEST", true},
      {"NEWEST", true},      {"KEEPS", false, 6}, {"STATE"}};
  if (wide) {
    columns.insert(
        columns.end(),
        {{"RAW", true}, {"RATIO", true}, {"FIRST", true}, {"EVICTED", true}, {"WHEN-FULL"}});
  }
  Table table(columns);
  for (const Json& stream : streams) {
    const bool full = stream["full"].Flag();
    std::vector<Cell> row = {stream["name"].Text(),
                             Thousands(stream["events"].Number()),
                             FormatBytes(stream["bytes"].Number()),
                             AgeOf(stream["oldest"]),
                             AgeOf(stream["newest"]),
                             Keeps(stream),
                             full ? Cell("full", Style::kBad) : Cell("ok", Style::kGood)};
    if (wide) {
      row.emplace_back(FormatBytes(stream["raw_bytes"].Number()));
      row.emplace_back(Ratio(stream));
      row.emplace_back(stream["first_sequence"].Text());
      row.emplace_back(Thousands(stream["evicted"].Number()));
      row.emplace_back(stream["retention"]["when_full"].Text());
    }
    table.Add(std::move(row));
  }
  return table;
}

int StreamLs(Session& session) {
  const Outcome<Json> answer = session.client.Get(std::string(kStream.path));
  if (!answer) return session.End(answer.error());
  session.out.List((*answer)["items"].items(), kView);
  return kDone;
}

int StreamInfo(Session& session, const std::string& name) {
  const Outcome<Json> stream = GetNamed(session, kStream, Bare(name, "stream"));
  if (!stream) return session.End(stream.error());
  session.out.One(*stream, kView, [&] { return StreamDetails(*stream, session.out.colour()); });
  return kDone;
}

}  // namespace spool::ctl
