// Completion and manual pages: with the shells and with groff, and from the commands that there
// are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "app/ctl/completion.h"
#include "tests/support/app_http.h"
#include "tests/support/ctl_test.h"
#include "tests/support/paths.h"

namespace spool::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path;
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> Words(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) words.push_back(line.substr(0, line.find('\t')));
  return words;
}

class Completion : public Ctl {
 protected:
  Completion() {
    admin_.On("GET /api/v1/targets", 200,
              R"({"items":[{"name":"kafka","state":"ok"},{"name":"splunk","state":"hold"},)"
              R"({"name":"bad\u001b[2J name","state":"ok"}]})");
    admin_.On("GET /api/v1/replays", 200, R"({"items":[{"id":"r-7f3k2a","state":"done"}]})");
    admin_.On("GET /api/v1/streams", 200, R"({"items":[{"name":"security-events"}]})");
  }
  std::vector<std::string> Of(std::vector<std::string> words) {
    words.insert(words.begin(), "__complete");
    const CtlResult result = Run(words);
    EXPECT_EQ(result.exit, 0);
    EXPECT_EQ(result.err, "");
    return Words(result.out);
  }
};

TEST_F(Completion, OffersCommandsFlagsAndFixedValues) {
  EXPECT_THAT(Of({""}),
              IsSupersetOf({"status", "target", "explain", "top", "check", "completion"}));
  EXPECT_THAT(Of({""}), Not(::testing::Contains("man")));
  EXPECT_THAT(Of({"tar"}), ElementsAre("target"));
  EXPECT_THAT(Of({"target", "re"}), ElementsAre("resume"));
  EXPECT_THAT(Of({"replay", "start", "--dry"}), ElementsAre("--dry-run"));
  EXPECT_THAT(Of({"status", "--no-c"}), ElementsAre("--no-color"));
  EXPECT_THAT(Of({"-o", "js"}), ElementsAre("json", "jsonl"));
  EXPECT_THAT(Of({"stream", "ls", "--output=ya"}), ElementsAre("--output=yaml"));
  EXPECT_THAT(Of({"events", "ls", "--severity", "war"}), ElementsAre("warning"));
  EXPECT_THAT(Of({"config", "validate", ""}), ElementsAre(":files"));
  EXPECT_THAT(Of({"--token-file", ""}), ElementsAre(":files"));
  EXPECT_THAT(Of({"no-such", "thing", ""}), Not(::testing::Contains("kafka")));
}

TEST_F(Completion, AsksTheDaemonForNames) {
  EXPECT_THAT(Of({"target", "info", ""}), ElementsAre("kafka", "splunk"));
  EXPECT_THAT(Of({"target", "pause", "s"}), ElementsAre("splunk"));
  EXPECT_THAT(Of({"replay", "watch", "r-"}), ElementsAre("r-7f3k2a"));
  EXPECT_THAT(Of({"replay", "start", "--target", "k"}), ElementsAre("kafka"));
  EXPECT_THAT(Of({"events", "ls", "--stream="}), ElementsAre("--stream=security-events"));
  // From the server that the line names.
  FakeAdmin other;
  other.On("GET /api/v1/targets", 200, R"({"items":[{"name":"elsewhere"}]})");
  EXPECT_THAT(Of({"--server", other.url(), "target", "info", ""}), ElementsAre("elsewhere"));
  const std::string both = admin_.url() + "," + other.url();
  EXPECT_THAT(Of({"--server=" + both, "target", "info", ""}),
              ElementsAre("kafka", "splunk", "elsewhere"));
}

TEST_F(Completion, WaitsForNobody) {
  std::vector<net::HttpResponder> held;
  net::HttpServerOptions options;
  options.name = "mute";
  options.address = "127.0.0.1:0";
  auto server = net::HttpServer::Start(
      options, [&](net::HttpRequest&&, net::HttpResponder r) { held.push_back(std::move(r)); });
  ASSERT_TRUE(server);
  const SteadyTime began = RealClock().Steady();
  EXPECT_THAT(Of({"--server", (*server)->address(), "target", "info", ""}), ElementsAre());
  EXPECT_LT(RealClock().Steady() - began, std::chrono::seconds(5));
  (*server)->Stop(RealClock().Steady());
  EXPECT_THAT(Of({"--server", "127.0.0.1:1", "target", "info", ""}), ElementsAre());
  EXPECT_THAT(Of({"--server", "not an address", "target", "info", ""}), ElementsAre());
}

// The real bash, with the line as readline has it.
TEST_F(Completion, BashCompletesAWordInAnyPlace) {
  const AppDir dir;
  std::ofstream(dir / "some-file") << "";
  const auto bash = [&](const std::string& line) {
    const std::string out = dir / "out";
    std::ofstream(dir / "run.sh") << "set -u\nPATH=" << BinaryDir()
                                  << ":$PATH\nexport SPOOLCTL_SERVER=" << admin_.url() << "\ncd "
                                  << dir.path()
                                  << "\nsource <(spoolctl completion bash) || exit 9\n"
                                  << "COMP_LINE='" << line
                                  << "'\nCOMP_POINT=${#COMP_LINE}\n_spoolctl\n"
                                  << "printf '%s\\n' \"${COMPREPLY[@]}\"\n";
    const std::string command = "bash " + (dir / "run.sh") + " > " + out + " 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0) << ReadAll(out);  // NOLINT: our own words
    return Words(ReadAll(out));
  };
  EXPECT_THAT(bash("spoolctl target info "), ElementsAre("kafka", "splunk"));
  EXPECT_THAT(bash("spoolctl rep"), ElementsAre("replay"));
  EXPECT_THAT(bash("spoolctl status --output=js"), ElementsAre("json", "jsonl"));
  EXPECT_THAT(bash("spoolctl --server " + admin_.url() + " target info k"), ElementsAre("kafka"));
  EXPECT_THAT(bash("spoolctl config validate some-"), ElementsAre("some-file"));
}

TEST_F(Completion, FishAndZshAskTheSameWay) {
  const AppDir dir;
  const auto run = [&](const std::string& shell, const std::string& script) {
    std::ofstream(dir / "run") << script;
    const std::string command = "cd " + dir.path() + " && HOME=" + dir.path() +
                                " PATH=" + BinaryDir() + ":$PATH SPOOLCTL_SERVER=" + admin_.url() +
                                " " + shell + " run > out 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0) << ReadAll(dir / "out");  // NOLINT: our own words
    return Words(ReadAll(dir / "out"));
  };
  const std::string fish = "spoolctl completion fish | source\ncomplete -C ";
  EXPECT_THAT(run("fish", fish + "'spoolctl target info '"), ElementsAre("kafka", "splunk"));
  EXPECT_THAT(run("fish", fish + "'spoolctl rep'"), ElementsAre("replay"));
  EXPECT_THAT(run("fish", fish + "'spoolctl --output js'"), ElementsAre("json", "jsonl"));
  // What zsh's own functions would be given.
  const std::string zsh =
      "compdef() { : }\n_files() { print files }\n"
      "_describe() { print -l -- \"${(@P)4}\" }\n"
      "source <(spoolctl completion zsh)\n";
  EXPECT_THAT(run("zsh -f", zsh + "words=(spoolctl target info '') CURRENT=4\n_spoolctl\n"),
              ElementsAre("kafka:state ok", "splunk:state hold"));
  EXPECT_THAT(run("zsh -f", zsh + "words=(spoolctl config validate '') CURRENT=4\n_spoolctl\n"),
              ElementsAre("files"));
}

TEST_F(Completion, EveryShellHasItsScriptAndOthersAreRefused) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const CtlResult result = Run({"completion", shell});
    EXPECT_EQ(result.exit, 0);
    EXPECT_EQ(result.out, ctl::CompletionScript(shell));
    EXPECT_THAT(result.out, HasSubstr("__complete"));
  }
  EXPECT_EQ(Run({"completion", "csh"}).exit, 2);
}

class Manual : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(Manual, ThePageIsWhatTheCommandsSayAndGroffTakesIt) {
  const AppDir dir;
  const std::string page = SourceDir() + "/docs/man/" + GetParam()[0];
  std::string command = BinaryDir();
  for (size_t i = 1; i < GetParam().size(); ++i) command += (i == 1 ? "/" : " ") + GetParam()[i];
  ASSERT_EQ(std::system((command + " > " + (dir / "page")).c_str()), 0);  // NOLINT: our own words
  EXPECT_EQ(ReadAll(dir / "page"), ReadAll(page)) << "run: ./dev docs";
  const std::string groff = "groff -man -Tutf8 -P-cbou -ww -rCHECKSTYLE=1 " + page + " > " +
                            (dir / "text") + " 2> " + (dir / "said");
  EXPECT_EQ(std::system(groff.c_str()), 0);  // NOLINT: our own words
  EXPECT_EQ(ReadAll(dir / "said"), "");
  EXPECT_THAT(ReadAll(dir / "text"), HasSubstr("SYNOPSIS"));
}

INSTANTIATE_TEST_SUITE_P(
    Pages, Manual,
    ::testing::Values(std::vector<std::string>{"spoolctl.1", "spoolctl", "man"},
                      std::vector<std::string>{"spoold.8", "spoold", "--print-man"}));

// No command is left out, and none is shown that people are not to see.
TEST(ManualOf, TellsOfEveryCommand) {
  const std::string page = ReadAll(SourceDir() + "/docs/man/spoolctl.1");
  for (const char* command : {"spoolctl explain", "spoolctl replay start", "spoolctl dlq export",
                              "spoolctl target test", "spoolctl offline repair", "spoolctl top"}) {
    EXPECT_THAT(page, HasSubstr(std::string(".SS \\fB") + command)) << command;
  }
  EXPECT_THAT(page, Not(HasSubstr("__complete")));
  EXPECT_THAT(page, Not(HasSubstr("spoolctl man")));
}

}  // namespace
}  // namespace spool::testing
