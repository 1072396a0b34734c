// node drain: no new events, and wait until every target has had what there is.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "app/ctl/command_line.h"
#include "app/ctl/replay_progress.h"
#include "app/ctl/text.h"
#include "base/time_text.h"

namespace spool::ctl {
namespace {

constexpr Millis kPoll{500};
constexpr size_t kBar = 30;

struct Left {
  uint64_t events = 0;
  std::string names;  // of the targets that have not had everything
};

Left LeftOf(const Json& targets) {
  Left left;
  for (const Json& target : targets["items"].items()) {
    const uint64_t pending = target["pending"].Number();
    if (pending == 0) continue;
    left.events += pending;
    left.names += (left.names.empty() ? "" : ", ") + Visible(target["name"].Text()) + " (" +
                  Thousands(pending) + ", " + Visible(target["state"].Text()) + ")";
  }
  return left;
}

int TakeAgain(Session& session) {
  const Outcome<Json> done = session.client.Post("/api/v1/node:drain", R"({"drain":false})");
  if (!done) return session.End(done.error());
  session.out.Did(*done, "node", session.client.server(), "takes events again");
  return kDone;
}

int Drained(Session& session) {
  JsonObject object;
  object.AddRaw("draining", "true").AddRaw("pending", "0");
  session.out.Did(*Json::Parse(object.text()), "node", session.client.server(),
                  "is drained: every target has had everything; it takes no events until "
                  "'spoolctl node drain --undo' or a restart");
  return kDone;
}

int Drain(Session& session, Micros wait) {
  if (!session.Confirm("make " + Visible(session.client.server()) +
                       " refuse new events until it is restarted or told otherwise")) {
    return kRefused;
  }
  const Outcome<Json> begun = session.client.Post("/api/v1/node:drain", R"({"drain":true})");
  if (!begun) return session.End(begun.error());
  const Interrupt::Gentle gentle(session.interrupt);
  const bool draw = session.out.terminal() && session.out.human();
  const SteadyTime until = RealClock().Steady() + wait;
  uint64_t most = 0;
  for (;;) {
    const Outcome<Json> targets = session.client.Get("/api/v1/targets");
    if (!targets) {
      if (draw) session.out.Draw("");
      if (!session.interrupt.raised()) return session.End(targets.error());
    }
    const Left left = targets ? LeftOf(*targets) : Left();
    if (targets && left.events == 0) {
      if (draw) session.out.Draw("");
      return Drained(session);
    }
    most = std::max(most, left.events);
    if (draw && targets) {
      const double part = 1 - static_cast<double>(left.events) / static_cast<double>(most);
      session.out.Draw(Truncate("draining  " + Bar(part, kBar) + "  " +
                                    Count(left.events, "event") + " left: " + left.names,
                                session.out.width() - 1));
    }
    if (session.interrupt.raised() || !session.interrupt.Wait(kPoll)) {
      if (draw) session.out.Raw("\n");
      session.out.Note("it goes on; to take events again: spoolctl node drain --undo");
      return kInterrupted;
    }
    if (RealClock().Steady() < until) continue;
    if (draw) session.out.Draw("");
    return session.End({kPartly,
                        Count(left.events, "event") + " are still to be delivered: " + left.names,
                        "it goes on taking none; wait longer with --wait, or end it with --undo"});
  }
}

}  // namespace

void AddDrain(CLI::App& node, Chosen& chosen) {
  struct Words {
    std::string wait = "10m";
    bool undo = false;
  };
  const auto words = std::make_shared<Words>();
  CLI::App* command = AddCommand(
      node, "drain", "Take no new events, and wait until every target has had what there is",
      "spoolctl node drain --wait 5m --yes\n  spoolctl node drain --undo", chosen,
      [words](Session& session) {
        return words->undo ? TakeAgain(session) : Drain(session, *ParseDuration(words->wait));
      });
  CLI::Option* wait =
      command->add_option("--wait", words->wait, "for so long at most (default 10m)")
          ->type_name("DURATION")
          ->check(
              [](const std::string& text) {
                const Result<Micros> time = ParseDuration(text);
                return time ? std::string() : time.error().message;
              },
              "");
  command->add_flag("--undo", words->undo, "take events again")->excludes(wait);
}

}  // namespace spool::ctl
