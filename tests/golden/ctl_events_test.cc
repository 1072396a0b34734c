// spoolctl events: what it asks the API page by page, how it follows, and that hostile text and
// narrow terminals do no harm.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <sstream>

#include "tests/support/ctl_test.h"
#include "tests/support/paths.h"

namespace spool::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(Ctl, EventsAreTheNewestHundredOfTheLastHourUnlessToldOtherwise) {
  admin_.On("GET /api/v1/events", 200, ScanEnd(true, 1, 0));
  Run({"events", "ls"});
  Run({"events", "ls", "--limit", "7"});
  Run({"events", "ls", "--since", "2d"});
  Run({"events", "ls", "--since", "2d", "--limit", "7"});
  Run({"events", "ls", "--to", "2026-11-20"});
  EXPECT_THAT(admin_.requests(),
              ElementsAre("GET /api/v1/events?order=newest&limit=100&since=1h",
                          "GET /api/v1/events?order=newest&limit=7",
                          "GET /api/v1/events?order=oldest&limit=1000&since=2d",
                          "GET /api/v1/events?order=newest&limit=7&since=2d",
                          "GET /api/v1/events?order=newest&limit=100&to=2026-11-20"));
}

TEST_F(Ctl, EveryFilterReachesTheServer) {
  admin_.On("GET /api/v1/events", 200, ScanEnd(true, 1, 0));
  EXPECT_EQ(Run({"events",
                 "ls",
                 "--stream",
                 "s*",
                 "--category",
                 "security",
                 "--source",
                 "web",
                 "--namespace",
                 "a|b",
                 "--kind",
                 "Pod",
                 "--name",
                 "api-*",
                 "--reason",
                 "=~^Un",
                 "--severity",
                 ">=warning",
                 "--match",
                 "labels.app=x",
                 "--match",
                 "data.a.b!=1",
                 "--from",
                 "now-3h",
                 "--to",
                 "now-1h",
                 "--by",
                 "event-time",
                 "--from-sequence",
                 "5",
                 "--to-sequence",
                 "9"})
                .exit,
            0);
  EXPECT_EQ(admin_.requests().at(0),
            "GET /api/v1/events?order=oldest&limit=1000&stream=s%2A&category=security&source=web&"
            "namespace=a%7Cb&kind=Pod&name=api-%2A&reason=%3D~%5EUn&severity=%3E%3Dwarning&"
            "match=labels.app%3Dx&match=data.a.b%21%3D1&from=now-3h&to=now-1h&by=event-time&"
            "from_sequence=5&to_sequence=9");
}

TEST_F(Ctl, EverythingOfARangeIsReadPageByPageInOrder) {
  admin_.On("GET /api/v1/events", [](const net::HttpRequest& request) {
    const std::string at = request.QueryParam("from_sequence");
    const uint64_t from = at.empty() ? 1 : std::stoull(at);
    std::string lines;
    uint64_t n = from;
    for (; n < from + 1000 && n <= 2500; ++n) lines += EventLine(n);
    return Ok(lines + ScanEnd(true, n, n - from));
  });
  const CtlResult result = Run({"events", "ls", "--since", "1d", "-o", "name"});
  EXPECT_EQ(result.exit, 0) << result.err;
  std::istringstream lines(result.out);
  std::string line;
  for (uint64_t n = 1; n <= 2500; ++n) {
    ASSERT_TRUE(std::getline(lines, line));
    ASSERT_EQ(line, "event/id" + std::to_string(n));
  }
  EXPECT_FALSE(std::getline(lines, line));
  EXPECT_EQ(admin_.requests().size(), 3u);
}

TEST_F(Ctl, TheNewestManyAreReadBackwardsAndPrintedForwards) {
  admin_.On("GET /api/v1/events", [](const net::HttpRequest& request) {
    const std::string to = request.QueryParam("to_sequence");
    const uint64_t limit = std::stoull(request.QueryParam("limit"));
    const uint64_t end = to.empty() ? 5001 : std::stoull(to);
    const uint64_t first = end > limit + 1 ? end - limit : 1;
    std::string lines;
    for (uint64_t n = first; n < end; ++n) lines += EventLine(n);
    return Ok(lines + ScanEnd(true, first, end - first));
  });
  const CtlResult result = Run({"events", "ls", "--limit", "2300", "-o", "name"});
  EXPECT_EQ(result.exit, 0) << result.err;
  std::istringstream lines(result.out);
  std::string line;
  for (uint64_t n = 2701; n <= 5000; ++n) {
    ASSERT_TRUE(std::getline(lines, line));
    ASSERT_EQ(line, "event/id" + std::to_string(n));
  }
  EXPECT_FALSE(std::getline(lines, line));
}

TEST_F(Ctl, AScanThatFindsTooLittleStopsAndSaysHowToGoOn) {
  admin_.On("GET /api/v1/events", [](const net::HttpRequest& request) {
    const std::string to = request.QueryParam("to_sequence");
    const uint64_t end = to.empty() ? 100'000'000 : std::stoull(to);
    return Ok((end == 100'000'000 ? EventLine(99'999'999) : "") +
              ScanEnd(false, end - 200'000, 200'000));
  });
  const CtlResult result =
      Run({"events", "ls", "--reason", "Rare*", "--limit", "10", "--scan", "600000", "-o", "name"});
  EXPECT_EQ(result.exit, 7);
  EXPECT_EQ(result.out, "event/id99999999\n");
  EXPECT_THAT(result.err, HasSubstr("looked through 800,000 events, back to sequence 99200000"));
  EXPECT_THAT(result.err, HasSubstr("spoolctl events ls --reason 'Rare*' --limit 9 "
                                    "--to-sequence 99200000"));
  EXPECT_EQ(admin_.requests().size(), 4u);
}

TEST_F(Ctl, AServerThatComesNoFurtherDoesNotHoldTheClientForever) {
  admin_.On("GET /api/v1/events", 200, ScanEnd(false, 5, 10));
  EXPECT_EQ(Run({"events", "ls", "--since", "1h", "--from-sequence", "5"}).exit, 0);
  EXPECT_LE(admin_.requests().size(), 3u);
}

TEST_F(Ctl, AnAnswerThatIsCutIsNotTakenForTheWhole) {
  admin_.On("GET /api/v1/events", 200, EventLine(1));
  const CtlResult result = Run({"events", "ls"});
  EXPECT_EQ(result.exit, 1);
  EXPECT_THAT(result.err, HasSubstr("ended before its last line"));
}

TEST_F(Ctl, JsonlIsTheServersOwnBytes) {
  const std::string line =
      R"({"sequence":"1","data":{"n":1.50,"b":1e400,"a":1,"a":2,"s":"\u00e9"}})";
  admin_.On("GET /api/v1/events", 200, line + "\n" + ScanEnd(true, 1, 1));
  EXPECT_EQ(Run({"events", "ls", "-o", "jsonl"}).out, line + "\n");
}

TEST_F(Ctl, TailShowsTheNewestThenWhatArrivesAndEndsWithCtrlC) {
  std::atomic<int> waits{0};
  admin_.On("GET /api/v1/status", 200, R"({"sequence":{"first":1,"end":11}})");
  admin_.On("GET /api/v1/events", [&](const net::HttpRequest& request) {
    if (request.QueryParam("wait").empty()) return Ok(EventLine(10) + ScanEnd(true, 10, 10));
    const int n = ++waits;
    if (n == 1) return Ok(EventLine(11, "first") + ScanEnd(true, 12, 1));
    if (n == 2) return Ok(ScanEnd(true, 12, 0));  // the wait was over
    return Ok(EventLine(12, "second") + ScanEnd(true, 13, 1));
  });
  auto process = CtlProcess::Start({"events", "tail", "--kind", "Pod", "-o", "jsonl"}, On());
  ASSERT_TRUE(process->WaitForText("second"));
  process->Signal(SIGINT);
  const CtlResult result = process->Finish();
  EXPECT_EQ(result.exit, 130);
  EXPECT_THAT(result.out, ::testing::StartsWith(EventLine(10) + EventLine(11, "first")));
  const auto requests = admin_.requests();
  EXPECT_EQ(requests.at(1), "GET /api/v1/events?order=newest&limit=10&kind=Pod&to_sequence=11");
  EXPECT_EQ(requests.at(2),
            "GET /api/v1/events?order=oldest&limit=1000&kind=Pod&from_sequence=11&wait=20");
  EXPECT_EQ(requests.at(3),
            "GET /api/v1/events?order=oldest&limit=1000&kind=Pod&from_sequence=12&wait=20");
}

TEST_F(Ctl, TailGoesOnWhereItWasWhenTheServerComesBack) {
  std::atomic<int> waits{0};
  admin_.On("GET /api/v1/status", 200, R"({"sequence":{"first":1,"end":11}})");
  admin_.On("GET /api/v1/events", [&](const net::HttpRequest& request) {
    if (request.QueryParam("wait").empty()) return Ok(ScanEnd(true, 10, 0));
    const int n = ++waits;
    if (n == 1) return net::Problem(503, "stopping", "The service is stopping.");
    if (n == 2) return Ok(EventLine(11, "after the break") + ScanEnd(true, 12, 1));
    return Ok(ScanEnd(true, 12, 0));
  });
  auto process = CtlProcess::Start({"events", "ls", "-f"}, On());
  ASSERT_TRUE(process->WaitForText("after the break"));
  process->Signal(SIGTERM);
  const CtlResult result = process->Finish();
  EXPECT_EQ(result.exit, 130);
  EXPECT_THAT(result.err, HasSubstr("connection is lost"));
  EXPECT_THAT(result.err, HasSubstr("connected again"));
}

TEST_F(Ctl, AReaderThatGoesAwayEndsTheOutputQuietly) {
  admin_.On("GET /api/v1/status", 200, R"({"sequence":{"first":1,"end":1}})");
  admin_.On("GET /api/v1/events", [](const net::HttpRequest& request) {
    const std::string from = request.QueryParam("from_sequence");
    const uint64_t n = from.empty() ? 1 : std::stoull(from);
    return Ok(EventLine(n) + ScanEnd(true, n + 1, 1));
  });
  auto process = CtlProcess::Start({"events", "ls", "-f", "-o", "jsonl"}, On());
  ASSERT_TRUE(process->WaitForText("id1"));
  process->CloseOut();
  const CtlResult result = process->Finish();
  EXPECT_EQ(result.exit, 128 + SIGPIPE);
  EXPECT_EQ(result.err, "");
}

TEST_F(Ctl, AnEventThatIsNotThereSaysHowFarBackWasLooked) {
  const CtlResult by_id = Run({"events", "get", "3f9c0a1b2c3d4e5f60718293a4b5c6d7"});
  EXPECT_EQ(by_id.exit, 4);
  EXPECT_THAT(by_id.err, HasSubstr("in the last 24 hours"));
  EXPECT_THAT(by_id.err, HasSubstr("--since 7d"));
  EXPECT_THAT(Run({"events", "get", "99"}).err, Not(HasSubstr("--since")));
  const std::string id = "3f9c0a1b2c3d4e5f60718293a4b5c6d7";
  Run({"events", "get", "event/" + id, "--since", "7d", "--to-sequence", "9"});
  EXPECT_EQ(admin_.requests().back(), "GET /api/v1/events/" + id + "?since=7d&to_sequence=9");
  admin_.On("GET /api/v1/events/" + id, 404,
            R"({"code":"scan_incomplete","detail":"Go on with to_sequence=77."})");
  const CtlResult partly = Run({"events", "get", id});
  EXPECT_EQ(partly.exit, 7);
  EXPECT_THAT(partly.err, HasSubstr("to_sequence=77"));
}

// Hostile text.

std::string HostileAnswer() {
  std::ifstream in(SourceDir() + "/tests/golden/ctl/hostile.jsonl");
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST_F(Ctl, HostileTextOfEventsCannotActOnATerminal) {
  admin_.On("GET /api/v1/events", 200, HostileAnswer());
  const std::vector<std::string> formats = {"table", "wide", "json", "jsonl", "yaml", "name"};
  for (const std::string& format : formats) {
    const CtlResult result = RunCtl({"events", "ls", "--no-color", "-o", format}, On(200));
    EXPECT_EQ(result.exit, 0);
    EXPECT_TRUE(IsTame(result.out)) << format << ": " << result.out;
  }
  for (const char* format : {"table", "wide", "yaml"}) {  // a pipe often ends on a terminal
    EXPECT_TRUE(IsTame(Run({"events", "ls", "-o", format}).out)) << format;
  }
  const std::string table = Run({"events", "ls"}).out;
  EXPECT_THAT(table, HasSubstr("\\u001b[31mred\\u001b[0m"));
  EXPECT_THAT(table, HasSubstr("line one line two"));
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 2);
}

TEST_F(Ctl, HostileTextOfTheServerCannotActOnATerminal) {
  const std::string evil = R"(\u001b[2J\u202e\u0007)";
  admin_.On("GET /api/v1/targets", 200,
            R"({"items":[{"name":")" + evil + R"(","type":"t","state":"hold","last_error":")" +
                evil + R"("}]})");
  admin_.On("GET /api/v1/status", 500, R"({"detail":")" + evil + R"("})");
  for (const char* format : {"table", "wide", "yaml", "name", "json", "jsonl"}) {
    const CtlResult result = RunCtl({"target", "ls", "--no-color", "-o", format}, On(120));
    EXPECT_TRUE(IsTame(result.out)) << format << result.out;
  }
  EXPECT_TRUE(IsTame(RunCtl({"status", "--no-color"}, On(120)).out));
  EXPECT_TRUE(IsTame(RunCtl({"target", "info", "\x1b[2J"}, On(120)).out));
  EXPECT_TRUE(IsTame(RunCtl({"\x1b[2J"}, On(120)).out));
}

// Terminals and pipes.

size_t WidestLine(const std::string& text) {
  std::istringstream lines(text);
  size_t widest = 0;
  for (std::string line; std::getline(lines, line);) {
    size_t width = 0;
    for (const char c : line) width += (static_cast<uint8_t>(c) & 0xC0) != 0x80 && c != '\r';
    widest = std::max(widest, width);
  }
  return widest;
}

TEST_F(Ctl, TablesFitTheTerminalAndAreWholeInAPipe) {
  const std::string message(300, 'x');
  admin_.On("GET /api/v1/events", 200, EventLine(1, message) + ScanEnd(true, 1, 1));
  for (const int columns : {80, 100, 132}) {
    const CtlResult result = RunCtl({"events", "ls", "--no-color"}, On(columns));
    EXPECT_LE(WidestLine(result.out), static_cast<size_t>(columns));
    EXPECT_THAT(result.out, HasSubstr("x…"));
  }
  EXPECT_THAT(Run({"events", "ls"}).out, HasSubstr(message));
  EXPECT_THAT(RunCtl({"events", "ls", "-o", "wide"}, On(80)).out, HasSubstr("xxx"));
}

TEST_F(Ctl, ColoursAreForTerminalsThatWantThem) {
  admin_.On("GET /api/v1/targets", 200, R"({"items":[{"name":"a","state":"hold"}]})");
  EXPECT_THAT(RunCtl({"target", "ls"}, On(80)).out, HasSubstr("\x1b[31mhold"));
  EXPECT_THAT(Run({"target", "ls"}).out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(RunCtl({"target", "ls", "--no-color"}, On(80)).out, Not(HasSubstr("\x1b")));
  for (const auto& [name, value] : {std::pair("NO_COLOR", "1"), std::pair("TERM", "dumb")}) {
    CtlProcess::Options options = On(80);
    options.env.emplace_back(name, value);
    EXPECT_THAT(RunCtl({"target", "ls"}, options).out, Not(HasSubstr("\x1b"))) << name;
  }
}

}  // namespace
}  // namespace spool::testing
