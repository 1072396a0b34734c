// What spoolctl prints, letter by letter, for every command and form: tests/golden/ctl/NAME.txt,
// from answers of the admin API in tests/golden/ctl/*.json. With SPOOL_UPDATE_GOLDEN=1 the texts
// are written anew.
#include "tests/support/ctl_golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <sstream>

#include "app/ctl/text.h"

namespace spool::testing {
namespace {

struct Case {
  const char* name;
  std::vector<std::string> args;
  int columns = 0;  // on a terminal so wide
};

class CtlGolden : public ::testing::TestWithParam<Case> {
 protected:
  const CtlGoldenAdmin golden_;
};

TEST_P(CtlGolden, ACommandPrintsWhatTheFileShows) {
  const Case& c = GetParam();
  CtlProcess::Options options;
  options.env = {{"SPOOLCTL_SERVER", golden_.url()}};
  options.columns = c.columns;
  const CtlResult result = RunCtl(c.args, options);
  if (c.columns > 0 && result.out.find("\x1b[K") == std::string::npos &&
      std::find(c.args.begin(), c.args.end(), "wide") == c.args.end()) {
    std::istringstream lines(std::regex_replace(result.out, std::regex("\x1b\\[[0-9]*m|\r"), ""));
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(ctl::DisplayWidth(line), static_cast<size_t>(c.columns)) << line;
    }
  }
  const std::string told = golden_.Tell(c.args, result);
  EXPECT_EQ(told, Golden(GoldenDirectory() + "/" + c.name + ".txt", told));
}

const Case kCases[] = {
    {"status", {"status"}},
    {"status_wide", {"status", "-o", "wide"}},
    {"status_json", {"status", "-o", "json"}},
    {"status_yaml", {"status", "-o", "yaml"}},
    {"status_terminal", {"status"}, 80},
    {"stream_ls", {"stream", "ls"}},
    {"stream_ls_wide", {"-o", "wide", "stream", "ls"}},
    {"stream_ls_json", {"stream", "ls", "-o", "json"}},
    {"stream_ls_jsonl", {"stream", "ls", "-o", "jsonl"}},
    {"stream_ls_yaml", {"stream", "ls", "-oyaml"}},
    {"stream_ls_name", {"stream", "ls", "--output=name"}},
    {"stream_ls_no_headers", {"stream", "ls", "--no-headers"}},
    {"stream_ls_terminal", {"stream", "ls"}, 80},
    {"stream_info", {"stream", "info", "quarantine"}},
    {"stream_info_yaml", {"stream", "info", "stream/quarantine", "-o", "yaml"}},
    {"target_ls", {"target", "ls"}},
    {"target_ls_wide", {"target", "ls", "-o", "wide"}},
    {"target_ls_name", {"target", "ls", "-o", "name"}},
    {"target_ls_terminal", {"target", "ls"}, 80},
    {"target_ls_terminal_no_color", {"target", "ls", "--no-color"}, 80},
    {"target_ls_terminal_wide", {"target", "ls", "-o", "wide", "--no-color"}, 80},
    {"target_info", {"target", "info", "servicenow"}},
    {"target_info_json", {"target", "info", "servicenow", "-o", "json"}},
    {"target_pause", {"target", "pause", "servicenow"}},
    {"target_resume", {"target", "resume", "target/servicenow", "-o", "name"}},
    {"target_skip", {"target", "skip", "servicenow", "--to", "2026-11-20", "-y"}},
    {"target_skip_refused", {"target", "skip", "servicenow", "--to", "4118872"}},
    {"source_ls", {"source", "ls"}},
    {"source_ls_wide", {"source", "ls", "-o", "wide"}},
    {"source_gaps_terminal", {"source", "gaps"}, 80},
    {"source_gaps_unknown", {"source", "gaps", "wbe"}},
    {"dlq_ls", {"dlq", "ls"}},
    {"dlq_ls_wide", {"dlq", "ls", "-o", "wide"}},
    {"dlq_ls_name", {"dlq", "ls", "-o", "name"}},
    {"dlq_ls_terminal", {"dlq", "ls"}, 80},
    {"dlq_get", {"dlq", "get", "servicenow-4118871"}},
    {"dlq_get_json", {"dlq", "get", "dlq/servicenow-4118871", "-o", "json"}},
    {"dlq_retry", {"dlq", "retry", "servicenow-4118871"}},
    {"dlq_retry_some_unknown", {"dlq", "retry", "servicenow-4118871", "servicenow-1"}},
    {"dlq_retry_all", {"dlq", "retry", "--target", "servicenow", "--all"}},
    {"dlq_drop_refused", {"dlq", "drop", "servicenow-4118871"}},
    {"dlq_drop", {"dlq", "drop", "servicenow-4118871", "--yes"}},
    {"dlq_drop_all",
     {"dlq", "drop", "--target", "servicenow", "--reason", "rejected", "--all", "-y"}},
    {"replay_ls", {"replay", "ls"}},
    {"replay_ls_wide", {"replay", "ls", "-o", "wide"}},
    {"replay_ls_terminal", {"replay", "ls"}, 80},
    {"replay_info", {"replay", "info", "r-7f3k2a"}},
    {"replay_info_json", {"replay", "info", "r-7f3k2a", "-o", "json"}},
    {"replay_dry_run",
     {"replay", "start", "--target", "splunk", "--from", "2026-11-20T06:00:00Z", "--match",
      "namespace=prod-*", "--rate", "2000/s", "--dry-run"}},
    {"replay_dry_run_json",
     {"replay", "start", "--target", "splunk", "--from", "3h", "--dry-run", "-o", "json"}},
    {"replay_start", {"replay", "start", "--target", "splunk", "--from", "3h"}},
    {"replay_start_name", {"replay", "start", "--target", "splunk", "--from", "3h", "-o", "name"}},
    {"replay_start_terminal", {"replay", "start", "--target", "splunk", "--from", "3h"}, 80},
    {"replay_start_detached",
     {"replay", "start", "--target", "splunk", "--from", "3h", "--detach"},
     80},
    {"replay_watch", {"replay", "watch", "r-7f3k2a"}},
    {"replay_watch_json", {"replay", "watch", "r-7f3k2a", "-o", "jsonl"}},
    {"replay_pause", {"replay", "pause", "r-7f3k2a"}},
    {"replay_resume", {"replay", "resume", "r-7f3k2a"}},
    {"replay_cancel_refused", {"replay", "cancel", "r-7f3k2a"}},
    {"replay_cancel", {"replay", "cancel", "r-7f3k2a", "-y"}},
    {"events_ls", {"events", "ls"}},
    {"events_ls_wide", {"events", "ls", "-o", "wide"}},
    {"events_ls_json", {"events", "ls", "-o", "json", "--limit", "4"}},
    {"events_ls_jsonl", {"events", "ls", "-o", "jsonl"}},
    {"events_ls_yaml", {"events", "ls", "-o", "yaml"}},
    {"events_ls_name", {"events", "ls", "-o", "name"}},
    {"events_ls_event_time", {"events", "ls", "--by", "event-time"}},
    {"events_ls_terminal", {"events", "ls", "--no-color"}, 80},
    {"events_ls_terminal_74", {"events", "ls", "--no-color"}, 74},
    {"events_get", {"events", "get", "4118871"}},
    {"events_get_table", {"events", "get", "4118871", "-o", "table"}},
    {"events_get_yaml", {"events", "get", "4118871", "-o", "yaml"}},
    {"explain", {"explain", "4118871"}},
    {"explain_wide", {"explain", "event/4118871", "-o", "wide"}},
    {"explain_json", {"explain", "4118871", "-o", "json"}},
    {"explain_jsonl", {"explain", "4118871", "-o", "jsonl"}},
    {"explain_yaml", {"explain", "4118871", "-o", "yaml"}},
    {"explain_name", {"explain", "4118871", "-o", "name"}},
    {"explain_terminal", {"explain", "4118871"}, 80},
    {"explain_file", {"explain", "-f", "/proc/version", "--path", "/audit"}},
    {"explain_unknown", {"explain", "99"}},
    {"explain_what", {"explain"}},
    {"explain_no_event", {"explain", "not-an-id"}},
    {"help_explain", {"explain", "--help"}},
    {"check", {"check"}},
    {"check_wide", {"check", "-o", "wide"}},
    {"check_json", {"check", "-o", "json"}},
    {"check_jsonl", {"check", "-o", "jsonl"}},
    {"check_yaml", {"check", "-o", "yaml"}},
    {"check_name", {"check", "-o", "name"}},
    {"check_target", {"check", "--target", "kafka-archive"}},
    {"check_bad", {"check", "--lag", "1h,5m"}},
    {"help_check", {"check", "--help"}},
    {"top", {"top"}},
    {"top_terminal", {"top", "--once"}, 80},
    {"top_terminal_200", {"top", "--once", "--sort", "name"}, 200},
    {"top_json", {"top", "-o", "json"}},
    {"help_top", {"top", "--help"}},
    {"target_test", {"target", "test", "servicenow"}},
    {"target_test_wide", {"target", "test", "servicenow", "-o", "wide"}},
    {"target_test_json", {"target", "test", "servicenow", "-o", "json"}},
    {"target_test_jsonl", {"target", "test", "servicenow", "-o", "jsonl"}},
    {"target_test_yaml", {"target", "test", "servicenow", "-o", "yaml"}},
    {"target_test_name", {"target", "test", "servicenow", "-o", "name"}},
    {"target_test_refused", {"target", "test", "kafka"}},
    {"target_test_unknown", {"target", "test", "servicenwo"}},
    {"target_rm", {"target", "rm", "old", "-y"}},
    {"target_rm_json", {"target", "rm", "old", "-y", "-o", "json"}},
    {"target_rm_refused", {"target", "rm", "old"}},
    {"target_rm_configured", {"target", "rm", "kafka", "-y"}},
    {"target_rm_unknown", {"target", "rm", "nope", "-y"}},
    {"dlq_export", {"dlq", "export", "--target", "servicenow"}},
    {"source_info", {"source", "info", "web"}},
    {"source_info_json", {"source", "info", "source/web", "-o", "json"}},
    {"source_info_yaml", {"source", "info", "web", "-o", "yaml"}},
    {"source_info_name", {"source", "info", "web", "-o", "name"}},
    {"source_info_unknown", {"source", "info", "wbe"}},
    {"node_drain_refused", {"node", "drain"}},
    {"node_drain_undo", {"node", "drain", "--undo"}},
    {"node_drain_undo_json", {"node", "drain", "--undo", "-o", "json"}},
    {"node_drain_late", {"node", "drain", "--wait", "0s", "-y"}},
    {"help_node_drain", {"node", "drain", "--help"}},
    {"context_ls_none", {"context", "ls"}},
    {"context_unknown", {"status", "--context", "prod"}},
    {"help_context", {"context", "--help"}},
    {"help_target_test", {"target", "test", "--help"}},
    {"version", {"version"}},
    {"version_json", {"version", "-o", "json"}},
    {"version_client", {"version", "--client"}},
    {"help", {"--help"}},
    {"help_events_ls", {"events", "ls", "--help"}},
    {"help_replay", {"replay", "--help"}},
    {"slip_command", {"strem", "ls"}},
    {"slip_verb", {"target", "puase", "kafka"}},
    {"slip_flag", {"events", "ls", "--sinse", "2d"}},
    {"slip_target", {"target", "info", "servicenwo"}},
    {"slip_replay", {"replay", "watch", "nothing-like-it"}},
    {"bad_twice", {"status", "--server", "spool-0:8081", "--server", "spool-1:8081"}},
    {"bad_time", {"events", "ls", "--since", "yesterday"}},
    {"bad_format", {"stream", "ls", "-o", "xml"}},
    {"bad_rate", {"replay", "start", "--target", "x", "--from", "1h", "--rate", "fast"}},
    {"bad_match", {"events", "ls", "--match", "kind"}},
    {"bad_timeout", {"status", "--timeout", "0s"}},
    {"no_verb", {"dlq"}},
    {"which_dead_letters", {"dlq", "drop", "--target", "servicenow"}},
};

INSTANTIATE_TEST_SUITE_P(Commands, CtlGolden, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace spool::testing
