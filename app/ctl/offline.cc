// The data directory of a spoold that does not run: what is in it, is it sound, and how to go on.
#include "spool/offline.h"

#include "app/ctl/commands.h"
#include "app/ctl/text.h"
#include "app/json_writer.h"
#include "base/time_text.h"

namespace spool::ctl {
namespace {

int ExitOf(Code code) {
  switch (code) {
    case Code::kNotFound: return kNotFound;
    case Code::kConflict: return kFailed;
    default: return kFailed;
  }
}

int Explain(Printer& out, const std::string& dir, const Error& error) {
  std::string next;
  if (error.code == Code::kConflict) next = "Stop spoold first, or look at a copy of " + dir + ".";
  if (error.code == Code::kNotFound) next = "--data-dir is the `data_dir` of the configuration.";
  const bool in_use = error.code == Code::kConflict;
  const std::string code(in_use ? "data_dir_in_use" : CodeName(error.code));
  out.Fail({ExitOf(error.code), error.message, next, code, false, false});
  return ExitOf(error.code);
}

void WriteDamage(JsonWriter& out, const std::vector<Damage>& all) {
  out.BeginArray();
  for (const Damage& damage : all) {
    out.BeginObject().TextOrNull("stream", damage.stream).Key("range");
    if (damage.range.empty()) {
      out.Null();
    } else {
      out.BeginObject()
          .Field("first", damage.range.first)
          .Field("end", damage.range.end)
          .EndObject();
    }
    out.Field("events", damage.events)
        .TextOrNull("file", damage.file)
        .Field("what", damage.what)
        .EndObject();
  }
  out.EndArray();
}

std::string ToJson(const OfflineReport& report) {
  JsonWriter out;
  out.BeginObject().Field("format", report.format).Field("end", report.end).Key("watermark");
  report.watermark ? out.Value(*report.watermark) : out.Null();
  out.Field("dead_letters", report.dead_letters).Key("streams").BeginArray();
  for (const OfflineStream& stream : report.streams) {
    out.BeginObject()
        .Field("name", stream.name)
        .Field("events", stream.events)
        .Field("chunks", stream.chunks)
        .Field("bytes", stream.bytes)
        .Field("raw_bytes", stream.raw_bytes)
        .Field("evicted", stream.evicted)
        .Field("first", stream.range.first)
        .Field("end", stream.range.end)
        .Field("oldest", stream.oldest)
        .Field("newest", stream.newest)
        .EndObject();
  }
  out.EndArray().Key("cursors").BeginArray();
  for (const OfflineCursor& cursor : report.cursors) {
    const Account& a = cursor.account;
    out.BeginObject()
        .Field("name", cursor.name)
        .Field("next", cursor.next)
        .Field("accepted", a.accepted)
        .Field("delivered", a.delivered)
        .Field("filtered", a.filtered)
        .Field("dead_lettered", a.dead_lettered)
        .Field("evicted", a.evicted)
        .Field("skipped", a.skipped)
        .Field("pending", a.pending)
        .EndObject();
  }
  out.EndArray().Field("damage_in_all", report.damage_in_all).Key("damage");
  WriteDamage(out, report.damage);
  out.EndObject();
  return out.Take();
}

std::string DamageLines(const std::vector<Damage>& all) {
  std::string text;
  for (const Damage& damage : all) {
    text += "  ";
    if (!damage.stream.empty()) text += "stream " + Visible(damage.stream) + ", ";
    if (!damage.range.empty()) {
      text += "sequences " + ToText(damage.range.first) + " to " +
              std::to_string(damage.range.end.value - 1) + ", ";
    }
    if (!damage.file.empty()) text += "file " + Visible(damage.file) + ", ";
    text += Visible(damage.what) + "\n";
  }
  return text;
}

std::string Describe(const OfflineReport& report, bool verified, const TableLook& look) {
  std::string text =
      "Format:     " + Visible(report.format) + "\nEnd:        sequence " + ToText(report.end) +
      "\nWatermark:  " + (report.watermark ? "sequence " + ToText(*report.watermark) : "none") +
      "\nDead:       " + Count(report.dead_letters, "dead letter") + "\n\n";
  Table streams({{"STREAM"},
                 {"EVENTS", true},
                 {"CHUNKS", true},
                 {"SIZE", true},
                 {"RAW", true},
                 {"FIRST", true},
                 {"EVICTED", true},
                 {"NEWEST"}});
  for (const OfflineStream& stream : report.streams) {
    streams.Add({stream.name, Thousands(stream.events), Thousands(stream.chunks),
                 FormatBytes(stream.bytes), FormatBytes(stream.raw_bytes),
                 ToText(stream.range.first), Thousands(stream.evicted),
                 stream.newest ? FormatTime(*stream.newest) : "-"});
  }
  text += streams.Render(look);
  if (!report.cursors.empty()) {
    Table cursors(
        {{"CURSOR"}, {"NEXT", true}, {"DELIVERED", true}, {"PENDING", true}, {"DEAD", true}});
    for (const OfflineCursor& cursor : report.cursors) {
      cursors.Add({cursor.name, ToText(cursor.next), Thousands(cursor.account.delivered),
                   Thousands(cursor.account.pending), Thousands(cursor.account.dead_lettered)});
    }
    text += "\n" + cursors.Render(look);
  }
  text += "\n";
  if (report.damage_in_all == 0) {
    text += verified ? "Sound: every chunk and every event in it was read and checked.\n"
                     : "Nothing seems to be wrong; `offline verify` also reads every event.\n";
  } else {
    text +=
        "Damaged in " + Count(report.damage_in_all, "place") + ":\n" + DamageLines(report.damage);
  }
  return text;
}

}  // namespace

int OfflineInspect(Printer& out, const std::string& dir, bool verify) {
  OfflineProgress progress;
  if (out.terminal() && out.human()) {
    progress = [&](uint64_t done, uint64_t) { out.Draw(Thousands(done) + " chunks"); };
  }
  const auto report = InspectOffline(dir, verify, progress);
  if (progress) out.Draw("");
  if (!report) return Explain(out, dir, report.error());
  const Result<Json> json = Json::Parse(ToJson(*report));
  out.One(*json, {"journal", "journals", "format", nullptr, dir},
          [&] { return Describe(*report, verify, out.look()); });
  if (report->damage_in_all == 0) return kDone;
  out.Note(
      "Restore a snapshot, or let `spoolctl offline repair --accept-loss` give up what is "
      "damaged and go on with the rest.");
  return kFailed;
}

int OfflineRepair(Printer& out, const std::string& dir, bool accept_loss) {
  const auto report = RepairOffline(dir, accept_loss, RealClock().Now());
  if (!report) return Explain(out, dir, report.error());
  JsonWriter json;
  json.BeginObject().Field("accepted_loss", accept_loss).Key("steps").BeginArray();
  for (const std::string& step : report->steps) json.Value(step);
  json.EndArray().Key("lost");
  WriteDamage(json, report->lost);
  json.EndObject();
  const Result<Json> parsed = Json::Parse(json.Take());
  out.One(*parsed, {"journal", "journals", "accepted_loss", nullptr, dir}, [&] {
    if (!accept_loss) {
      if (report->lost.empty()) return std::string("Nothing is damaged, nothing to repair.\n");
      return "This would be given up, or mended at its cost:\n" + DamageLines(report->lost);
    }
    std::string text;
    for (const std::string& step : report->steps) text += "  " + Visible(step) + "\n";
    return text.empty() ? "Nothing had to be repaired.\n" : "Done:\n" + text;
  });
  if (accept_loss || report->lost.empty()) return kDone;
  out.Note("Take a copy of " + dir +
           ", then say --accept-loss. Each range given up leaves a marker.");
  return kRefused;
}

}  // namespace spool::ctl
