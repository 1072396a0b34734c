#include "app/ctl/commands.h"
#include "app/ctl/text.h"
#include "base/time_text.h"

namespace spool::ctl {
namespace {

constexpr size_t kNextMax = 6;  // hints, so that many targets in trouble leave a screen

std::string Headline(const Json& status, const std::string& server, bool colour) {
  const bool ready = status["ready"].Flag();
  return "spoold " + Visible(status["version"].Text()) + "  " +
         Paint(ready ? "ready" : "not ready", ready ? Style::kGood : Style::kBad, colour) +
         "  up " + FormatAge(std::chrono::seconds(status["uptime_seconds"].Number())) + "  " +
         Visible(server) + "\n";
}

std::string Stored(const Json& status, bool colour) {
  const Json disk = status["disk"];
  const uint64_t first = status["sequence"]["first"].Number();
  const uint64_t end = status["sequence"]["end"].Number();
  std::string text = Paint("JOURNAL", Style::kBold, colour) + "   ";
  text += end > first ? "sequences " + Thousands(first) + " to " + Thousands(end - 1) : "empty";
  if (status["accounted"].is_null()) return text + "\n";
  const bool accounted = status["accounted"].Flag();
  text += "   ";
  text += accounted ? Paint("all accounted for", Style::kGood, colour)
                    : Paint("the sums of a target do not agree", Style::kBad, colour);
  text += "\n" + Paint("DISK", Style::kBold, colour) + "      " +
          FormatBytes(disk["used_bytes"].Number()) + " used";
  if (!disk["free_bytes"].is_null())
    text += ", " + FormatBytes(disk["free_bytes"].Number()) + " free";
  if (const uint64_t all = disk["capacity_bytes"].Number(); all > 0) {
    text += " of " + FormatBytes(all);
  }
  return text + "\n";
}

// What needs hands, and the commands that tell more.
std::string Troubles(const Json& status, bool colour) {
  std::string text;
  const auto warn = [&](const std::string& line, Style style) {
    text += Paint("! " + line, style, colour) + "\n";
  };
  for (const Json& warning : status["warnings"].items()) {
    warn(Visible(warning.Text()), Style::kWarn);
  }
  std::vector<std::string> next;
  for (const Json& target : status["targets"].items()) {
    const std::string name = Visible(target["name"].Text());
    const std::string state = target["state"].Text();
    if (state == "backoff" || state == "hold") {
      const std::string error = Visible(target["last_error"].Text());
      warn(name + ": " + state + (error.empty() ? "" : ": " + error),
           state == "hold" ? Style::kBad : Style::kWarn);
      next.push_back("spoolctl target info " + ShellQuote(name));
    }
    if (state == "paused") next.push_back("spoolctl target resume " + ShellQuote(name));
    if (target["dead_lettered"].Number() > 0) {
      next.push_back("spoolctl dlq ls --target " + ShellQuote(name));
    }
  }
  if (status["replays_running"].Number() > 0) {
    text += Count(status["replays_running"].Number(), "replay") + " running\n";
    next.emplace_back("spoolctl replay ls");
  }
  for (size_t i = 0; i < next.size() && i < kNextMax; ++i) {
    text += (i == 0 ? "  next: " : "        ") + next[i] + "\n";
  }
  return text;
}

std::string StatusPage(const Json& status, const std::string& server, const Printer& out) {
  const TableLook look{true, out.colour(), out.wide() ? 0 : out.width()};
  std::string page = Headline(status, server, out.colour()) + Stored(status, out.colour());
  const auto part = [&](const char* key, Table (*make)(std::span<const Json>, bool)) {
    const std::vector<Json> items = status[key].items();
    if (!items.empty()) page += "\n" + make(items, out.wide()).Render(look);
  };
  part("sources", SourceTable);
  part("streams", StreamTable);
  part("targets", TargetTable);
  const std::string troubles = Troubles(status, out.colour());
  return troubles.empty() ? page : page + "\n" + troubles;
}

}  // namespace

int Status(Session& session) {
  const Outcome<Json> status = session.client.Get("/api/v1/status");
  if (!status) return session.End(status.error());
  const View view{"status", "states", "version", nullptr};
  session.out.One(*status, view,
                  [&] { return StatusPage(*status, session.client.server(), session.out); });
  return kDone;
}

}  // namespace spool::ctl
