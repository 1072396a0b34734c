#include <cstdio>

#include "app/ctl/commands.h"
#include "app/ctl/replay_progress.h"
#include "app/ctl/text.h"
#include "base/time_text.h"

namespace spool::ctl {
namespace {

constexpr Millis kPoll{500};
// Counting a long range takes a while.
constexpr Millis kCounting{50000};

Style StateStyle(const std::string& state) {
  if (state == "done" || state == "running") return Style::kGood;
  return state == "failed" ? Style::kBad : Style::kWarn;
}

std::string Percent(const Json& replay) {
  const double total = replay["total"].Real();
  const double part = total > 0 ? replay["settled"].Real() / total : 1;
  return std::to_string(static_cast<int>(std::min(part, 1.0) * 100)) + "%";
}

std::string EndOf(const Json& range) {
  if (!range["to"].Text().empty()) return TimeOf(range["to"]);
  return range["end"].is_null() ? "now" : "sequence " + range["end"].Text();
}

std::string StartOf(const Json& range) {
  if (!range["from"].Text().empty()) return TimeOf(range["from"]);
  return "sequence " + range["first"].Text();
}

std::string Words(const Json& list) {
  std::string text;
  for (const Json& item : list.items()) text += (text.empty() ? "" : " ") + item.Text();
  return text;
}

std::string Rate(double rate) {
  if (rate <= 0) return "no limit";
  char text[32];
  std::snprintf(text, sizeof text, "%g/s", rate);
  return rate < 1000 ? text : Thousands(static_cast<uint64_t>(rate)) + "/s";
}

Table ReplayTable(std::span<const Json> replays, bool wide) {
  std::vector<Column> columns = {{"REPLAY"},         {"TARGET", false, 8}, {"STATE"},
                                 {"DONE", true},     {"SETTLED", true},    {"TOTAL", true},
                                 {"REJECTED", true}, {"AGE", true}};
  if (wide) {
    columns.insert(
        columns.end(),
        {{"FROM"}, {"TO"}, {"RATE", true}, {"DELIVERED", true}, {"EVICTED", true}, {"MATCH"}});
  }
  columns.push_back({"ERROR", false, 5});
  Table table(columns);
  for (const Json& replay : replays) {
    const std::string state = replay["state"].Text();
    const auto number = [&](const char* key) { return Cell(Thousands(replay[key].Number())); };
    std::vector<Cell> row = {
        replay["id"].Text(), replay["target"].Text(), Cell(state, StateStyle(state)),
        Percent(replay),     number("settled"),       number("total"),
        number("rejected"),  AgeOf(replay["created"])};
    if (wide) {
      row.insert(row.end(), {StartOf(replay), EndOf(replay), Rate(replay["rate"].Real()),
                             number("delivered"), number("evicted"), Words(replay["match"])});
    }
    row.emplace_back(replay["error"].Text());
    table.Add(std::move(row));
  }
  return table;
}

std::string ReplayDetails(const Json& replay, bool colour) {
  Details details;
  details.Add("ID", replay["id"].Text());
  details.Add("Target", replay["target"].Text());
  const std::string state = replay["state"].Text();
  details.Add("State", state, StateStyle(state));
  details.Add("Range", "[" + StartOf(replay) + ", " + EndOf(replay) + ")");
  details.Add("Sequences", "[" + replay["first"].Text() + ", " + replay["end"].Text() + ")");
  const std::string match = Words(replay["match"]);
  details.Add("Match", match.empty() ? "everything" : match);
  details.Add("Rate", Rate(replay["rate"].Real()));
  details.Add("Settled", Thousands(replay["settled"].Number()) + " of " +
                             Thousands(replay["total"].Number()) + " (" + Percent(replay) + ")");
  details.Add("Delivered", Thousands(replay["delivered"].Number()));
  details.Add("Rejected", Thousands(replay["rejected"].Number()));
  details.Add("Evicted", Thousands(replay["evicted"].Number()));
  details.Add("Created", TimeOf(replay["created"]) + " (" + AgeOf(replay["created"]) + " ago)");
  if (replay["finished"].Time()) details.Add("Finished", TimeOf(replay["finished"]));
  if (!replay["error"].Text().empty()) details.Add("Error", replay["error"].Text(), Style::kBad);
  return details.Render(colour);
}

const View kView{"replay", "replays", "id", ReplayTable};

std::string Request(const ReplayStartOptions& options, const std::string& from,
                    const std::string& to, bool dry_run) {
  JsonObject body;
  body.Add("target", options.target).Add("from", from).Add("to", to);
  std::string match;
  for (const std::string& rule : options.match)
    match += (match.empty() ? "" : ",") + JsonString(rule);
  body.AddRaw("match", "[" + match + "]");
  char rate[64];
  std::snprintf(rate, sizeof rate, "%.17g", options.rate);
  body.AddRaw("rate", rate);
  body.AddRaw("dry_run", dry_run ? "true" : "false");
  return body.text();
}

// What is about to be sent, in full.
std::string Announce(const ReplayStartOptions& options, const Json& plan) {
  std::string text =
      "replay → " + Visible(options.target) + "   [" + StartOf(plan) + ", " + EndOf(plan) + ")";
  const auto from = plan["from"].Time();
  const auto to = plan["to"].Time();
  if (from && to && *to > *from) text += "  " + FormatAge(*to - *from);
  const uint64_t total = plan["total"].Number();
  text += "\n  " + Count(total, "event");
  if (total > 0) text += ", " + FormatBytes(plan["bytes"].Number());
  text += ", of sequences [" + plan["first"].Text() + ", " + plan["end"].Text() + ")";
  if (!options.match.empty()) {
    text += "\n  match";
    for (const std::string& rule : options.match) text += " " + Visible(rule);
  }
  if (options.rate > 0 && total > 0) {
    const auto seconds = static_cast<int64_t>(static_cast<double>(total) / options.rate + 0.5);
    text += "\n  at " + Rate(options.rate) + ": about " + FormatAge(std::chrono::seconds(seconds));
  }
  return text + "\n  the same event ids are sent, marked as a replay; live delivery goes on";
}

// How a replay that has ended ends the command that watched it.
int Ended(const Json& replay) {
  if (replay["state"].Text() != "done") return kFailed;
  return replay["rejected"].Number() + replay["evicted"].Number() > 0 ? kPartly : kDone;
}

bool HasEnded(const Json& replay) {
  const std::string state = replay["state"].Text();
  return state == "done" || state == "cancelled" || state == "failed";
}

std::string Summary(const Json& replay) {
  std::string text = "replay/" + Visible(replay["id"].Text()) + " " +
                     Visible(replay["state"].Text()) + ": " +
                     Thousands(replay["delivered"].Number()) + " delivered, " +
                     Thousands(replay["rejected"].Number()) + " rejected";
  if (replay["evicted"].Number() > 0) {
    text += ", " + Thousands(replay["evicted"].Number()) + " gone before they were sent";
  }
  const auto created = replay["created"].Time();
  const auto finished = replay["finished"].Time();
  if (created && finished) text += " in " + FormatAge(*finished - *created);
  if (!replay["error"].Text().empty()) text += " (" + Visible(replay["error"].Text()) + ")";
  return text;
}

int Detached(Session& session, const std::string& id) {
  if (session.out.terminal()) session.out.Raw("\n");
  session.out.Note("detached, the replay goes on; to watch it again: spoolctl replay watch " +
                   ShellQuote(id));
  return kInterrupted;
}

int Watch(Session& session, const std::string& id) {
  const Interrupt::Gentle gentle(session.interrupt);
  const bool draw = session.out.terminal() && session.out.human();
  ReplayProgress progress;
  Outage outage;  // a daemon that restarts goes on with its replays
  Outcome<Json> replay = GetNamed(session, kReplay, id);
  if (!replay)
    return session.interrupt.raised() ? Detached(session, id) : session.End(replay.error());
  for (;;) {
    if (replay) {
      outage.Over();
      if (draw) session.out.Draw(progress.Line(*replay, RealClock().Steady(), session.out.width()));
      if (HasEnded(*replay)) break;
    } else if (session.interrupt.raised()) {
      return Detached(session, id);
    } else if (replay.error().exit != kUnreachable) {
      if (draw) session.out.Raw("\n");
      return session.End(replay.error());
    } else {
      const SteadyTime now = RealClock().Steady();
      if (outage.Notice(now)) {
        if (draw) session.out.Raw("\n");
        session.out.Note("the connection is lost, trying again");
      }
      if (outage.TooLong(now)) return session.End(replay.error());
    }
    if (!session.interrupt.Wait(kPoll)) return Detached(session, id);
    replay = session.client.Get("/api/v1/replays/" + PercentEncode(id));
  }
  if (draw) session.out.Draw("");
  session.out.One(*replay, kView, [&] { return Summary(*replay) + "\n"; });
  return Ended(*replay);
}

int Verb(Session& session, const std::string& name, const char* verb, const char* done) {
  const std::string id = Bare(name, "replay");
  const Outcome<Json> replay = PostNamed(session, kReplay, id, verb);
  if (!replay) return session.End(replay.error());
  session.out.Did(*replay, "replay", id, done);
  return kDone;
}

}  // namespace

int ReplayStart(Session& session, const ReplayStartOptions& wish) {
  ReplayStartOptions options = wish;
  options.target = Bare(options.target, "target");
  if (options.to.empty()) options.to = "now";
  const std::string path(kReplay.path);
  const Outcome<Json> plan =
      session.client.Post(path, Request(options, options.from, options.to, true), kCounting);
  if (!plan && !(plan.error().timed_out && !options.dry_run)) {
    return session.End(WithSuggestion(session, kTarget, options.target, plan.error()));
  }
  // Times as the server understood them, so that "now-3h" means one range in both requests.
  std::string from = options.from;
  std::string to = options.to;
  if (plan) {
    if ((*plan)["from"].Time()) from = (*plan)["from"].Text();
    if ((*plan)["to"].Time()) to = (*plan)["to"].Text();
    if (options.dry_run && !session.out.human()) {
      session.out.One(*plan, {"replay", "replays", "target", nullptr}, nullptr);
      return kDone;
    }
    const std::string text = Announce(options, *plan);
    session.out.human() ? session.out.Line(text) : session.out.Note(text);
    if (options.dry_run) {
      session.out.Line("dry run: nothing was sent");
      return kDone;
    }
  } else {
    session.out.Note("replay → " + Visible(options.target) + "   [" + from + ", " + to +
                     "), too long to be counted first");
  }
  const Outcome<Json> replay =
      session.client.Post(path, Request(options, from, to, false), kCounting);
  if (!replay) return session.End(WithSuggestion(session, kTarget, options.target, replay.error()));
  const std::string id = (*replay)["id"].Text();
  const bool watch = session.out.terminal() && session.out.human() && !options.detach;
  session.out.Did(*replay, "replay", id, watch ? "started (Ctrl-C detaches)" : "started");
  return watch ? Watch(session, id) : kDone;
}

int ReplayLs(Session& session) {
  const Outcome<Json> answer = session.client.Get(std::string(kReplay.path));
  if (!answer) return session.End(answer.error());
  session.out.List((*answer)["items"].items(), kView);
  return kDone;
}

int ReplayInfo(Session& session, const std::string& id) {
  const Outcome<Json> replay = GetNamed(session, kReplay, Bare(id, "replay"));
  if (!replay) return session.End(replay.error());
  session.out.One(*replay, kView, [&] { return ReplayDetails(*replay, session.out.colour()); });
  return kDone;
}

int ReplayWatch(Session& session, const std::string& id) {
  return Watch(session, Bare(id, "replay"));
}

int ReplayPause(Session& session, const std::string& id) {
  return Verb(session, id, "pause", "paused");
}

int ReplayResume(Session& session, const std::string& id) {
  return Verb(session, id, "resume", "resumed");
}

int ReplayCancel(Session& session, const std::string& id) {
  const std::string bare = Bare(id, "replay");
  const Outcome<Json> replay = GetNamed(session, kReplay, bare);
  if (!replay) return session.End(replay.error());
  const std::string what =
      "cancel replay " + Visible(bare) + " at " + Percent(*replay) + "; it cannot be resumed";
  if (!session.Confirm(what)) return kRefused;
  return Verb(session, bare, "cancel", "cancelled");
}

}  // namespace spool::ctl
