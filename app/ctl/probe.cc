// target test and target rm.
#include <CLI/CLI.hpp>

#include "app/ctl/command_line.h"
#include "app/ctl/text.h"
#include "base/time_text.h"

namespace spool::ctl {
namespace {

constexpr Millis kTargetTime{25000};  // what a target may take to answer

// "12ms", "1.5s": a target's answer is mostly there within a second.
std::string TookText(Micros took) {
  if (took >= std::chrono::seconds(1)) return FormatAge(took);
  return FormatDuration(std::chrono::ceil<Millis>(took));
}

int TargetTest(Session& session, const std::string& name, std::optional<uint64_t> sequence) {
  const std::string bare = Bare(name, "target");
  JsonObject body;
  if (sequence) body.AddRaw("sequence", std::to_string(*sequence));
  const Outcome<Json> answer = session.client.Post(
      std::string(kTarget.path) + "/" + PercentEncode(bare) + ":test", body.text(), kTargetTime);
  if (!answer) {
    if (answer.error().code == "event_not_found") {
      return session.End({kNotFound, "there is no event " + std::to_string(*sequence),
                          "it was never stored, or retention has taken it"});
    }
    return session.End(WithSuggestion(session, kTarget, bare, answer.error()));
  }
  const std::string outcome = (*answer)["outcome"].Text();
  const bool good = outcome == "delivered" || outcome == "duplicate";
  const auto took = Micros(static_cast<int64_t>((*answer)["seconds"].Real() * 1e6));
  const std::string where = Visible((*answer)["where"].Text());
  if (good) {
    session.out.Did(*answer, "target", bare,
                    std::string(outcome == "duplicate" ? "had it already" : "took it") + " in " +
                        TookText(took) + (where.empty() ? "" : " (" + where + ")"));
    return kDone;
  }
  if (!session.out.human()) session.out.Did(*answer, "target", bare, "");
  std::string why = Visible((*answer)["code"].Text());
  const std::string excerpt = Visible((*answer)["excerpt"].Text());
  if (!excerpt.empty()) why += (why.empty() ? "" : ": ") + excerpt;
  return session.End({kFailed,
                      "the target " + Visible(bare) + " did not take it (" + Visible(outcome) +
                          ")" + (why.empty() ? "" : ": " + why),
                      where.empty() ? "" : "it was sent to " + where});
}

int TargetRm(Session& session, const std::string& name) {
  const std::string bare = Bare(name, "target");
  if (!session.Confirm("give up the place of the target " + Visible(bare) +
                       ", which is not configured any more; what it had not had is not kept for "
                       "it any longer")) {
    return kRefused;
  }
  const Outcome<Json> answer =
      session.client.Delete(std::string(kTarget.path) + "/" + PercentEncode(bare));
  if (!answer) {
    Failure failure = answer.error();
    if (failure.exit == kNotFound) {
      failure.message = "no place is kept for a target '" + Visible(bare) + "'";
      failure.next = "'spoolctl status' warns of those that are";
    } else if (failure.code == "conflict") {
      failure.next =
          "take it out of the configuration first; to pass over events: spoolctl target "
          "skip " +
          ShellQuote(bare) + " --to now";
    }
    return session.End(failure);
  }
  session.out.Did(*answer, "target", bare,
                  "is given up, with " + Count((*answer)["pending"].Number(), "event") +
                      " that it had not had");
  return kDone;
}

}  // namespace

void AddProbes(CLI::App& targets, Chosen& chosen) {
  struct Words {
    std::string name;
    std::optional<uint64_t> sequence;
  };
  const auto words = std::make_shared<Words>();
  CLI::App* test = AddCommand(
      targets, "test", "Send one event now, beside the others, and say what the target answers",
      "spoolctl target test kafka\n  spoolctl target test kafka --event 4118871", chosen,
      [words](Session& s) { return TargetTest(s, words->name, words->sequence); });
  test->add_option("NAME", words->name, "the target")->required();
  test->add_option("--event", words->sequence, "this one, not a made up one")
      ->type_name("SEQUENCE");
  AddCommand(targets, "rm", "Give up the place of a target that is not configured any more",
             "spoolctl target rm old-archive --yes", chosen,
             [words](Session& s) { return TargetRm(s, words->name); })
      ->add_option("NAME", words->name, "the target that was")
      ->required();
}

}  // namespace spool::ctl
