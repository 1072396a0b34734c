// spoolctl top: on terminals of several sizes, in a pipe, and that it leaves no trace.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include "app/ctl/text.h"
#include "app/ctl/top.h"
#include "tests/support/app_http.h"
#include "tests/support/ctl_test.h"
#include "tests/support/paths.h"

namespace spool::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kStatus[] =
    R"({"version":"1","ready":true,"uptime_seconds":3600,"sequence":{"first":1,"end":101},)"
    R"("targets":[)"
    R"({"name":"calm","state":"ok","lag_seconds":0,"lag_events":0,"delivered":100,"dead_lettered":9},)"
    R"({"name":"behind-with-a-rather-long-name","state":"backoff","lag_seconds":90,"lag_events":40,)"
    R"("delivered":60,"dead_lettered":0,"last_error":"HTTP 503: come back later, we are painting the )"
    R"(walls and the floor and the ceiling of this data centre"}],)"
    R"("sources":[{"name":"web","state":"up","events":100}],)"
    R"("streams":[{"name":"kubernetes-events","events":100,"bytes":4096}],)"
    R"("disk":{"used_bytes":1048576,"free_bytes":1073741824},"replays_running":2,)"
    R"("warnings":["The wall clock has jumped.\u001b[2J"]})";

// What a terminal would show after all of `bytes`, for the few sequences that we send.
std::vector<std::string> Shown(const std::string& bytes, size_t rows) {
  std::vector<std::string> screen(rows);
  size_t row = 0;
  const size_t begin = bytes.rfind("\x1b[H");
  EXPECT_NE(begin, bytes.npos);
  for (size_t at = begin + 3; at < bytes.size(); ++at) {
    if (bytes[at] == '\n') {
      if (++row >= rows) break;
    } else if (bytes[at] == '\x1b') {
      while (at + 1 < bytes.size() && !std::isalpha(static_cast<unsigned char>(bytes[at]))) ++at;
    } else if (bytes[at] != '\r') {
      screen[row] += bytes[at];
    }
  }
  return screen;
}

ctl::TopAnswer Answer(const std::string& json, const std::string& replica = "a") {
  return {replica, *ctl::Json::Parse(json), ""};
}

TEST(TopPage, NeverExceedsTheTerminalWhateverItsSize) {
  ctl::TopPage page;
  page.Update({Answer(kStatus)}, "http://127.0.0.1:8081", SteadyTime());
  for (const size_t columns : {20u, 80u, 200u}) {
    for (const size_t rows : {3u, 10u, 24u, 50u}) {
      const auto lines = page.Lines({.columns = columns, .rows = rows, .colour = true});
      EXPECT_EQ(lines.size(), rows) << columns;
      for (const std::string& line : lines) {
        const std::string plain =
            std::regex_replace(ctl::Clip(line, columns), std::regex("\x1b\\[[0-9]*m"), "");
        EXPECT_LE(ctl::DisplayWidth(plain), columns) << plain;
        EXPECT_TRUE(IsTame(plain)) << plain;
      }
      EXPECT_THAT(lines.back(), HasSubstr("q quit"));
    }
  }
}

TEST(TopPage, SortsTargetsAndCountsRatesBetweenTwoLooks) {
  ctl::TopPage page;
  const SteadyTime start;
  page.Update({Answer(kStatus)}, "x", start);
  const auto order = [&](ctl::TopSort sort) {
    const auto lines = page.Lines({.columns = 200, .rows = 0, .sort = sort, .keys = false});
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    return text.find("calm") < text.find("behind-with") ? "calm first" : "behind first";
  };
  EXPECT_STREQ(order(ctl::TopSort::kLag), "behind first");
  EXPECT_STREQ(order(ctl::TopSort::kDead), "calm first");
  EXPECT_STREQ(order(ctl::TopSort::kName), "behind first");
  std::string later = kStatus;
  later.replace(later.find("\"delivered\":100"), 15, "\"delivered\":150");
  page.Update({Answer(later)}, "x", start + std::chrono::seconds(2));
  EXPECT_STREQ(order(ctl::TopSort::kRate), "calm first");
  std::string text;
  for (const std::string& line : page.Lines({.columns = 200, .rows = 0})) text += line + "\n";
  EXPECT_THAT(text, HasSubstr("25/s"));
}

TEST(TopPage, ARestartIsNoNegativeRateAndSilenceIsSaid) {
  ctl::TopPage page;
  page.Update({Answer(kStatus, "a"), Answer(kStatus, "b")}, "x", SteadyTime());
  std::string fewer = kStatus;
  fewer.replace(fewer.find("\"delivered\":100"), 15, "\"delivered\":1");
  page.Update({Answer(fewer, "a"), {"b", ctl::Json(), "cannot reach it"}}, "x",
              SteadyTime() + std::chrono::seconds(1));
  std::string text;
  for (const std::string& line : page.Lines({.columns = 200, .rows = 0})) text += line + "\n";
  EXPECT_THAT(text, HasSubstr("b  does not answer: cannot reach it"));
  EXPECT_THAT(text, HasSubstr("REPLICA"));
  EXPECT_THAT(text, Not(HasSubstr("-99")));
}

class Top : public Ctl {
 protected:
  Top() { admin_.On("GET /api/v1/status", 200, kStatus); }
  std::unique_ptr<CtlProcess> Begin(int columns, const std::string& interval = "200ms") {
    return CtlProcess::Start({"top", "--interval", interval}, On(columns));
  }
};

TEST_F(Top, IsAScreenThatQEndsAndThatIsGoneAfterwards) {
  const auto process = Begin(80);
  ASSERT_TRUE(process->WaitForText("q quit"));
  process->Type("s");
  ASSERT_TRUE(process->WaitForText("sort by rate"));
  process->Type("q");
  const CtlResult result = process->Finish();
  EXPECT_EQ(result.exit, 0);
  EXPECT_EQ(result.out.find("\x1b[?1049h\x1b[?25l"), 0u);
  EXPECT_TRUE(result.out.ends_with("\x1b[?25h\x1b[?1049l"));
  for (const std::string& line : Shown(result.out, 40)) {
    EXPECT_LE(ctl::DisplayWidth(line), 80u) << line;
  }
  EXPECT_THAT(result.out, Not(HasSubstr("\x1b[2J ")));
  EXPECT_THAT(result.out, HasSubstr("\\u001b[2J"));  // of the warning
}

TEST_F(Top, CtrlCAndASignalGiveTheTerminalBackToo) {
  for (const bool key : {true, false}) {
    const auto process = Begin(80);
    ASSERT_TRUE(process->WaitForText("q quit"));
    key ? process->Type("\x03") : process->Signal(SIGTERM);
    const CtlResult result = process->Finish();
    EXPECT_EQ(result.exit, 0);
    EXPECT_TRUE(result.out.ends_with("\x1b[?25h\x1b[?1049l"));
  }
}

TEST_F(Top, FollowsTheSizeOfItsTerminal) {
  const auto process = Begin(80, "1h");
  ASSERT_TRUE(process->WaitForText("q quit"));
  process->Resize(200, 10);
  ASSERT_TRUE(process->WaitForText("of this data centre"));  // what 80 columns have no room for
  process->Type("q");
  EXPECT_EQ(process->Finish().exit, 0);
}

TEST_F(Top, IsOneFrameInAPipeAndOnRequest) {
  const CtlResult pipe = Run({"top"});
  EXPECT_EQ(pipe.exit, 0);
  EXPECT_THAT(pipe.out, HasSubstr("kubernetes-events"));
  EXPECT_THAT(pipe.out, HasSubstr("of this data centre"));
  EXPECT_TRUE(IsTame(pipe.out)) << pipe.out;
  const CtlResult once = RunCtl({"top", "--once", "--no-color"}, On(80));
  EXPECT_EQ(once.exit, 0);
  EXPECT_THAT(once.out, Not(HasSubstr("\x1b")));
  const CtlResult json = Run({"top", "-o", "json"});
  EXPECT_EQ(json.exit, 2);
  EXPECT_THAT(json.err, HasSubstr("spoolctl status -o json"));
}

TEST_F(Top, AServerThatIsNotThereIsToldInTheShell) {
  const std::string url = admin_.url();
  admin_.Stop();
  CtlProcess::Options options;
  options.columns = 80;
  const CtlResult result = RunCtl({"top", "--server", url}, options);
  EXPECT_EQ(result.exit, 6);
  EXPECT_THAT(result.out, HasSubstr("cannot reach"));
  EXPECT_THAT(result.out, Not(HasSubstr("1049h")));
}

TEST_F(Top, AServerThatGoesAwayIsWaitedFor) {
  const auto process = Begin(80);
  ASSERT_TRUE(process->WaitForText("q quit"));
  admin_.On("GET /api/v1/status", 503, R"({"code":"starting","detail":"It is starting."})");
  ASSERT_TRUE(process->WaitForText("does not answer: It is starting."));
  process->Type("q");
  EXPECT_EQ(process->Finish().exit, 0);
}

// A terminal of its own making, as people have it.
TEST_F(Top, WorksInTmuxAtEightyAndTwoHundredColumns) {
  const AppDir dir;
  const auto sh = [](const std::string& line) {
    EXPECT_EQ(std::system(line.c_str()), 0) << line;  // NOLINT: our own words
  };
  for (const int columns : {80, 200}) {
    const std::string tmux = "tmux -S " + (dir / "socket") + " ";
    std::ofstream(dir / "run.sh") << "echo the line before\nSPOOLCTL_SERVER=" << admin_.url() << " "
                                  << BinaryDir() << "/spoolctl top\necho status $?\nexec cat\n";
    sh(tmux + "-f /dev/null new-session -d -x " + std::to_string(columns) + " -y 24 'sh " +
       (dir / "run.sh") + "'");
    const auto pane = [&] {
      sh(tmux + "capture-pane -p > " + (dir / "pane"));
      std::ifstream in(dir / "pane");
      std::stringstream text;
      text << in.rdbuf();
      return text.str();
    };
    EXPECT_TRUE(WaitUntil([&] { return pane().find("q quit") != std::string::npos; })) << pane();
    const std::string shown = pane();
    EXPECT_THAT(shown, HasSubstr("BEHIND"));
    EXPECT_THAT(shown, HasSubstr("kubernetes-events"));
    EXPECT_EQ(shown.find("of this data centre") != std::string::npos, columns == 200) << shown;
    EXPECT_THAT(shown, Not(HasSubstr("the line before")));
    sh(tmux + "send-keys q");
    EXPECT_TRUE(WaitUntil([&] { return pane().find("status 0") != std::string::npos; })) << pane();
    EXPECT_THAT(pane(), HasSubstr("the line before"));
    EXPECT_THAT(pane(), Not(HasSubstr("BEHIND")));
    sh(tmux + "kill-server");
    EXPECT_TRUE(WaitUntil([&] {
      return std::system((tmux + "has-session 2>/dev/null").c_str()) != 0;  // NOLINT
    }));
  }
}

TEST_F(Ctl, ATerminalWithoutUtf8GetsAsciiAndAPipeWhatThereIs) {
  admin_.On(
      "GET /api/v1/targets", 200,
      R"({"items":[{"name":"a→b","state":"ok","last_error":")" + std::string(200, 'x') + "\"}]}");
  CtlProcess::Options options = On(80);
  options.env.emplace_back("LC_ALL", "C");
  const CtlResult terminal = RunCtl({"target", "ls", "--no-color"}, options);
  EXPECT_THAT(terminal.out, HasSubstr("a>b"));
  EXPECT_THAT(terminal.out, HasSubstr("xx~"));
  for (const char c : terminal.out)
    EXPECT_EQ(static_cast<unsigned char>(c) & 0x80, 0) << terminal.out;
  options.columns = 0;
  EXPECT_THAT(RunCtl({"target", "ls"}, options).out, HasSubstr("a→b"));
}

TEST(CtlText, ClippingCountsWhatIsShown) {
  EXPECT_EQ(ctl::Clip("\x1b[31mabc\x1b[0mdef", 4), "\x1b[31mabc\x1b[0md");
  EXPECT_EQ(ctl::Clip("日本語", 5), "日本");
  EXPECT_EQ(ctl::Clip("abc\x1b[", 9), "abc\x1b[");
  EXPECT_EQ(ctl::Clip("", 0), "");
}

}  // namespace
}  // namespace spool::testing
