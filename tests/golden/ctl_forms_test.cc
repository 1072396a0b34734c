// Every command in every form of output: tests/golden/ctl/forms/NAME.txt has all six of one
// command. A command that is new and in no list here fails the test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

#include "spool/journal.h"
#include "tests/support/app_http.h"
#include "tests/support/ctl_golden.h"
#include "tests/support/manual_clock.h"
#include "tests/support/paths.h"

namespace spool::testing {
namespace {

constexpr const char* kForms[] = {"table", "wide", "json", "jsonl", "yaml", "name"};

struct Command {
  const char* name;
  std::vector<std::string> args;  // "$HOME", "$TREE" and "$DATA" are directories
};

const Command kCommands[] = {
    {"status", {"status"}},
    {"stream_ls", {"stream", "ls"}},
    {"stream_info", {"stream", "info", "quarantine"}},
    {"events_ls", {"events", "ls", "--limit", "4"}},
    {"events_get", {"events", "get", "4118871"}},
    {"target_ls", {"target", "ls"}},
    {"target_info", {"target", "info", "servicenow"}},
    {"target_test", {"target", "test", "servicenow"}},
    {"target_pause", {"target", "pause", "servicenow"}},
    {"target_resume", {"target", "resume", "servicenow"}},
    {"target_skip", {"target", "skip", "servicenow", "--to", "2026-11-20", "-y"}},
    {"target_rm", {"target", "rm", "old", "-y"}},
    {"dlq_ls", {"dlq", "ls"}},
    {"dlq_get", {"dlq", "get", "servicenow-4118871"}},
    {"dlq_retry", {"dlq", "retry", "servicenow-4118871"}},
    {"dlq_retry_all", {"dlq", "retry", "--target", "servicenow", "--all"}},
    {"dlq_drop", {"dlq", "drop", "servicenow-4118871", "-y"}},
    {"dlq_export", {"dlq", "export"}},
    {"replay_start", {"replay", "start", "--target", "splunk", "--from", "3h"}},
    {"replay_dry_run", {"replay", "start", "--target", "splunk", "--from", "3h", "--dry-run"}},
    {"replay_ls", {"replay", "ls"}},
    {"replay_info", {"replay", "info", "r-7f3k2a"}},
    {"replay_watch", {"replay", "watch", "r-7f3k2a"}},
    {"replay_pause", {"replay", "pause", "r-7f3k2a"}},
    {"replay_resume", {"replay", "resume", "r-7f3k2a"}},
    {"replay_cancel", {"replay", "cancel", "r-7f3k2a", "-y"}},
    {"source_ls", {"source", "ls"}},
    {"source_info", {"source", "info", "web"}},
    {"source_gaps", {"source", "gaps"}},
    {"explain", {"explain", "4118871"}},
    {"check", {"check"}},
    {"top", {"top", "--once"}},
    {"config_validate", {"config", "validate", "$TREE/tests/golden/config/routes.yaml"}},
    {"config_test", {"config", "test", "$TREE/docs/examples/complete.yaml"}},
    {"config_history", {"config", "test", "$TREE/docs/examples/minimal.yaml", "--history", "10"}},
    {"config_show", {"config", "show"}},
    {"config_diff", {"config", "diff", "$TREE/docs/examples/minimal.yaml"}},
    {"config_reload", {"config", "reload"}},
    {"config_import",
     {"config", "import", "kubernetes-event-exporter", "$TREE/tests/golden/import/twice.yaml"}},
    {"node_drain", {"node", "drain", "--undo"}},
    {"node_snapshot", {"node", "snapshot", "/snapshots/monday"}},
    {"context_add", {"context", "add", "prod", "--server", "spool-0:8081,spool-1:8081"}},
    {"context_ls", {"context", "ls"}},
    {"context_use", {"context", "use", "lab"}},
    {"context_rm", {"context", "rm", "lab", "-y"}},
    {"offline_inspect", {"offline", "inspect", "--data-dir", "$DATA"}},
    {"offline_verify", {"offline", "verify", "--data-dir", "$DATA"}},
    {"offline_repair", {"offline", "repair", "--data-dir", "$DATA"}},
    {"version", {"version"}},
};
// Those of which there is one form alone, or that never end.
const std::set<std::string> kApart = {"events tail",     "config schema",  "completion bash",
                                      "completion fish", "completion zsh", "completion"};

// A journal as it would lie there, the same in every run.
void MakeJournal(const std::string& dir) {
  const ManualClock clock;
  JournalOptions options;
  options.dir = dir;
  options.streams = {{.name = "kubernetes-events"}, {.name = "security-events"}};
  options.reserve_file_bytes = 0;
  options.disk_reserve_bytes = 0;
  options.clock = &clock;
  auto journal = Journal::Open(std::move(options));
  ASSERT_TRUE(journal) << journal.error().message;
  std::vector<Event> events;
  for (uint8_t i = 0; i < 3; ++i) {
    EventView view;
    view.id.bytes[0] = i;
    view.time = FromMicros(1'760'000'000'000'000 + i);
    view.data = R"({"a":1})";
    events.push_back(MakeEvent(view, (*journal)->FindStream("kubernetes-events").value()));
  }
  ASSERT_TRUE((*journal)->AppendAndWait(std::move(events), "web"));
}

class CtlForms : public ::testing::TestWithParam<Command> {
 protected:
  // One run, with a list of contexts that knows the context "lab".
  std::string Tell(std::vector<std::string> args, const std::string& form) {
    args.insert(args.end(), {"-o", form});
    const std::vector<std::string> shown = args;
    for (std::string& arg : args) {
      ReplaceAll(arg, "$TREE", SourceDir());
      ReplaceAll(arg, "$DATA", home_ / "data");
    }
    std::filesystem::create_directories(home_ / "spoolctl");
    std::filesystem::remove(home_ / "spoolctl/contexts.yaml");
    CtlProcess::Options options;
    options.env = {{"SPOOLCTL_CONTEXTS", home_ / "spoolctl/contexts.yaml"}};
    EXPECT_EQ(RunCtl({"context", "add", "lab", "--server", "http://lab:8081"}, options).exit, 0);
    if (args[0] != "context") options.env.emplace_back("SPOOLCTL_SERVER", golden_.url());
    std::string told = golden_.Tell(shown, RunCtl(args, options));
    ReplaceAll(told, home_ / "data", "$DATA");
    ReplaceAll(told, home_.path(), "$HOME");
    ReplaceAll(told, SourceDir(), "$TREE");
    return told;
  }

  const AppDir home_;
  const CtlGoldenAdmin golden_;
};

TEST_P(CtlForms, ACommandHasEachFormThatTheFileShows) {
  const Command& command = GetParam();
  if (command.args[0] == "offline") MakeJournal(home_ / "data");
  std::string told;
  for (const char* form : kForms) told += Tell(command.args, form);
  const std::string path = GoldenDirectory() + "/forms/" + command.name + ".txt";
  EXPECT_EQ(told, Golden(path, told));
}

INSTANTIATE_TEST_SUITE_P(Commands, CtlForms, ::testing::ValuesIn(kCommands),
                         [](const auto& info) { return std::string(info.param.name); });

// The commands below `path`, by what the help says.
std::vector<std::string> Leaves(const std::vector<std::string>& path) {
  std::vector<std::string> args = path;
  args.emplace_back("--help");
  const std::string help = RunCtl(args).out;
  std::vector<std::string> leaves;
  const size_t at = help.find("Subcommands:\n");
  if (at == help.npos) {
    std::string name;
    for (const std::string& word : path) name += (name.empty() ? "" : " ") + word;
    return {name};
  }
  std::istringstream lines(help.substr(help.find('\n', at) + 1));
  const std::regex command(R"(^  ([a-z]+)( .*)?$)");
  std::smatch match;
  for (std::string line; std::getline(lines, line) && !line.empty();) {
    if (!std::regex_match(line, match, command)) continue;
    std::vector<std::string> below = path;
    below.push_back(match[1]);
    for (std::string& leaf : Leaves(below)) leaves.push_back(std::move(leaf));
  }
  return leaves;
}

TEST(CtlForms, NoCommandIsWithoutThem) {
  std::set<std::string> told = kApart;
  for (const Command& command : kCommands) {
    told.insert(command.args[0]);
    if (command.args.size() > 1) told.insert(command.args[0] + " " + command.args[1]);
    if (command.args.size() > 2) {
      told.insert(command.args[0] + " " + command.args[1] + " " + command.args[2]);
    }
  }
  const std::vector<std::string> leaves = Leaves({});
  EXPECT_GT(leaves.size(), 40u);
  for (const std::string& leaf : leaves) EXPECT_TRUE(told.contains(leaf)) << leaf;
}

}  // namespace
}  // namespace spool::testing
