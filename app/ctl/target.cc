#include "app/ctl/commands.h"
#include "app/ctl/text.h"
#include "base/time_text.h"

namespace spool::ctl {
namespace {

Style StateStyle(const std::string& state) {
  if (state == "ok") return Style::kGood;
  if (state == "hold") return Style::kBad;
  return Style::kWarn;
}

std::string Behind(const Json& target) {
  const Json lag = target["lag_seconds"];
  if (lag.is_null()) return "-";
  return FormatAge(Micros(static_cast<int64_t>(lag.Real() * 1e6)));
}

// "delivered 12 + filtered 3 + …", the parts that are not 0 and always delivered and pending.
std::string Sum(const Json& target) {
  static constexpr std::pair<const char*, const char*> kParts[] = {
      {"delivered", "delivered"}, {"filtered", "filtered"}, {"dead_lettered", "dead-lettered"},
      {"evicted", "evicted"},     {"skipped", "skipped"},   {"pending", "pending"}};
  std::string text;
  for (const auto& [key, word] : kParts) {
    const uint64_t n = target[key].Number();
    const bool always = std::string_view(key) == "delivered" || std::string_view(key) == "pending";
    if (n == 0 && !always) continue;
    text += (text.empty() ? "" : " + ") + std::string(word) + " " + Thousands(n);
  }
  return text;
}

std::string TargetDetails(const Json& target, bool colour) {
  Details details;
  details.Add("Name", target["name"].Text());
  details.Add("Type", target["type"].Text());
  const std::string state = target["state"].Text();
  std::string next;
  if (const auto at = target["retry_at"].Time(); at && state != "ok") {
    const Micros in = *at - RealClock().Now();
    next = in.count() > 0 ? ", next try in " + FormatAge(in) : ", trying now";
  }
  details.Add("State", state + next, StateStyle(state));
  details.Add("Lag",
              Count(target["lag_events"].Number(), "event") + ", " + Behind(target) + " behind");
  details.Add("Cursor", "sequence " + target["cursor"].Text());
  details.Add("Accepted", Thousands(target["accepted"].Number()) + " = " + Sum(target));
  details.Add("Attempts", Thousands(target["attempts"].Number()) + " since the start");
  details.Add("Retries", Count(target["retries"].Number(), "event") + " had to be sent again");
  details.Add("Duplicates",
              Count(target["duplicates"].Number(), "event") + " the target had already");
  const Json success = target["last_success_at"];
  details.Add("Last success",
              success.Time() ? TimeOf(success) + " (" + AgeOf(success) + " ago)" : "none yet");
  if (!target["last_error"].Text().empty()) {
    const Json when = target["last_error_at"];
    details.Add("Last error",
                target["last_error"].Text() + (when.Time() ? " (" + AgeOf(when) + " ago)" : ""));
  }
  return details.Render(colour);
}

const View kView{"target", "targets", "name", TargetTable};

int Verb(Session& session, const std::string& name, const char* verb, const char* done) {
  const std::string bare = Bare(name, "target");
  const Outcome<Json> target = PostNamed(session, kTarget, bare, verb);
  if (!target) return session.End(target.error());
  session.out.Did(*target, "target", bare, done);
  return kDone;
}

}  // namespace

Table TargetTable(std::span<const Json> targets, bool wide) {
  std::vector<Column> columns = {{"TARGET", false, 10}, {"TYPE", false, 4}, {"STATE"},
                                 {"LAG", true},         {"BEHIND", true},   {"DELIVERED", true},
                                 {"DEAD", true}};
  if (wide) {
    columns.insert(columns.end(), {{"CURSOR", true},
                                   {"ACCEPTED", true},
                                   {"FILTERED", true},
                                   {"EVICTED", true},
                                   {"SKIPPED", true},
                                   {"RETRIES", true},
                                   {"DUPLICATES", true},
                                   {"LAST-OK", true}});
  }
  columns.push_back({"LAST-ERROR", false, 8});
  Table table(columns);
  for (const Json& target : targets) {
    const std::string state = target["state"].Text();
    const auto number = [&](const char* key) { return Cell(Thousands(target[key].Number())); };
    std::vector<Cell> row = {
        target["name"].Text(),  target["type"].Text(), Cell(state, StateStyle(state)),
        number("lag_events"),   Behind(target),        number("delivered"),
        number("dead_lettered")};
    if (wide) {
      row.emplace_back(target["cursor"].Text());
      for (const char* key :
           {"accepted", "filtered", "evicted", "skipped", "retries", "duplicates"}) {
        row.push_back(number(key));
      }
      row.emplace_back(AgeOf(target["last_success_at"]));
    }
    row.emplace_back(target["last_error"].Text());
    table.Add(std::move(row));
  }
  return table;
}

int TargetLs(Session& session) {
  const Outcome<Json> answer = session.client.Get(std::string(kTarget.path));
  if (!answer) return session.End(answer.error());
  session.out.List((*answer)["items"].items(), kView);
  return kDone;
}

int TargetInfo(Session& session, const std::string& name) {
  const Outcome<Json> target = GetNamed(session, kTarget, Bare(name, "target"));
  if (!target) return session.End(target.error());
  session.out.One(*target, kView, [&] { return TargetDetails(*target, session.out.colour()); });
  return kDone;
}

int TargetPause(Session& session, const std::string& name) {
  return Verb(session, name, "pause", "paused");
}

int TargetResume(Session& session, const std::string& name) {
  return Verb(session, name, "resume", "resumed");
}

int TargetSkip(Session& session, const std::string& name, const std::string& to) {
  const std::string bare = Bare(name, "target");
  const Outcome<Json> target = GetNamed(session, kTarget, bare);
  if (!target) return session.End(target.error());
  const bool sequence = to.find_first_not_of("0123456789") == to.npos;
  const std::string what = "move " + Visible(bare) + " from sequence " +
                           (*target)["cursor"].Text() + " ahead to " +
                           (sequence ? "sequence " : "") + to +
                           "; what lies between is not delivered, it is counted as skipped, and a "
                           "replay can still send it";
  if (!session.Confirm(what)) return kRefused;
  const Outcome<Json> done =
      PostNamed(session, kTarget, bare, "skip", JsonObject().Add("to", to).text());
  if (!done) return session.End(done.error());
  session.out.Did(*done, "target", bare, "skipped " + Count((*done)["skipped"].Number(), "event"));
  return kDone;
}

}  // namespace spool::ctl
