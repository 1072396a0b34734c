// `spoolctl config` beside an admin API that answers what a test tells it to, and without one.
#include <gmock/gmock.h>

#include <fstream>

#include "tests/support/app_http.h"
#include "tests/support/ctl_test.h"
#include "tests/support/paths.h"

namespace spool::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kRunning[] =
    R"({"revision":3,"since":"2026-11-20T06:11:14Z","last_reload":{"ok":true,"last_success":"2026-11-20T06:11:14Z","error":null},"settings":[
{"key":"version","path":["version"],"value":"1","default":false,"overridden":false,"hidden":false},
{"key":"data_dir","path":["data_dir"],"value":"/else","default":false,"overridden":true,"hidden":false},
{"key":"journal.scrub","path":["journal","scrub"],"value":"4MiB","default":true,"overridden":false,"hidden":false},
{"key":"targets.a.type","path":["targets","a","type"],"value":"webhook","default":false,"overridden":false,"hidden":false},
{"key":"targets.a.url","path":["targets","a","url"],"value":"\"https://x?(hidden)\"","default":false,"overridden":false,"hidden":true}]})";

net::HttpResponse Problem(int status, const std::string& body) {
  net::HttpResponse response = Ok(body, status);
  response.content_type = "application/problem+json";
  return response;
}

class CtlConfig : public Ctl {
 protected:
  std::string File(const std::string& text) {
    std::ofstream(dir_ / "spool.yaml") << text;
    return dir_ / "spool.yaml";
  }
  const AppDir dir_;
};

TEST_F(CtlConfig, ReloadSaysWhatCameOfIt) {
  admin_.On(
      "POST /api/v1/config:reload", 200,
      R"({"revision":4,"changed":true,"settings":["log.level","targets.b.type"],"targets":{"added":["b"],"changed":[],"removed":["c","d"]},"warnings":[]})");
  CtlResult result = Run({"config", "reload"});
  EXPECT_EQ(result.exit, 0);
  EXPECT_EQ(result.out,
            "config reloaded, revision 4 is in force, with 2 changes\n  targets added: b\n"
            "  targets removed: c, d\n");
  EXPECT_EQ(Run({"config", "reload", "-o", "json"}).out.substr(0, 1), "{");
  admin_.On(
      "POST /api/v1/config:reload", 200,
      R"({"revision":4,"changed":false,"settings":[],"targets":{"added":[],"changed":[],"removed":[]},"warnings":[]})");
  result = Run({"config", "reload"});
  EXPECT_EQ(result.exit, 0);
  EXPECT_EQ(result.out, "config unchanged, revision 4 stays in force\n");
}

TEST_F(CtlConfig, AReloadThatIsRefusedShowsEachProblemAsAStartWould) {
  admin_.On("POST /api/v1/config:reload", [](const net::HttpRequest&) {
    return Problem(
        400,
        R"({"title":"Bad Request","status":400,"code":"invalid_config","detail":"The configuration has 1 problem; what was there before stays in force.","errors":[{"file":"/etc/s.yaml","line":2,"column":1,"message":"unknown key 'streems'","hint":"did you mean 'streams'?","source_line":"streems: {}","caret":1}],"warnings":[]})");
  });
  CtlResult result = Run({"config", "reload"});
  EXPECT_EQ(result.exit, 78);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(
      result.err,
      HasSubstr("/etc/s.yaml:2:1: error: unknown key 'streems'\n    2 | streems: {}\n      | ^\n"
                "  hint: did you mean 'streams'?\n"));
  EXPECT_THAT(result.err, HasSubstr("stays in force"));
  admin_.On("POST /api/v1/config:reload", [](const net::HttpRequest&) {
    return Problem(
        409,
        R"({"title":"Conflict","status":409,"code":"needs_restart","detail":"so nothing of it is taken: data_dir.","errors":[{"file":"/etc/s.yaml","line":2,"column":11,"message":"'data_dir' is /a in the running spoold, and cannot be changed while it runs","hint":null}],"warnings":[]})");
  });
  result = Run({"config", "reload"});
  EXPECT_EQ(result.exit, 1);
  EXPECT_THAT(result.err, HasSubstr("/etc/s.yaml:2:11: error: 'data_dir' is /a"));
}

TEST_F(CtlConfig, ShowIsTheConfigurationWithItsDefaultsMarked) {
  admin_.On("GET /api/v1/config", 200, kRunning);
  const CtlResult result = Run({"config", "show"});
  EXPECT_EQ(result.exit, 0);
  EXPECT_EQ(result.out,
            "version: 1\ndata_dir: /else\njournal:\n  scrub: 4MiB  # default\ntargets:\n  a:\n"
            "    type: webhook\n    url: \"https://x?(hidden)\"\n");
  EXPECT_THAT(Run({"config", "show", "-o", "yaml"}).out, Not(HasSubstr("#")));
  EXPECT_THAT(Run({"config", "show", "-o", "name"}).out, HasSubstr("journal.scrub\n"));
  EXPECT_THAT(Run({"config", "show", "-o", "json"}).out, HasSubstr("\"revision\": 3"));
}

TEST_F(CtlConfig, ShowOfAFileNeedsNoServer) {
  const std::string path = File("version: 1\ntargets: { a: { type: stdout } }\n");
  const CtlResult result = RunCtl({"--server", "http://127.0.0.1:9", "config", "show", path});
  EXPECT_EQ(result.exit, 0) << result.err;
  EXPECT_THAT(result.out,
              HasSubstr("  a:\n    type: stdout\n    batch:\n      events: 1000  # default\n"));
  // What it shows is a configuration.
  File(result.out);
  EXPECT_EQ(Run({"config", "validate", path}).exit, 0);
  EXPECT_EQ(Run({"config", "show", dir_ / "none"}).exit, 4);
  File("version: 2\n");
  EXPECT_EQ(Run({"config", "show", path}).exit, 78);
}

TEST_F(CtlConfig, DiffComparesSettingsAndKnowsWhatNeedsARestart) {
  // Everything that the file comes to, but for a few lines.
  const std::string path = File(
      "version: 1\ndata_dir: /mine\njournal: { scrub: 1MiB }\n"
      "targets: { a: { type: webhook, url: \"https://x?secret\" }, b: { type: stdout } }\n");
  admin_.On("GET /api/v1/config", 200, kRunning);
  const CtlResult result = Run({"config", "diff", path});
  EXPECT_EQ(result.exit, 1);
  EXPECT_THAT(result.out, HasSubstr("~ journal.scrub: 4MiB -> 1MiB   (needs a restart)\n"));
  EXPECT_THAT(result.out, HasSubstr("+ targets.b.type: stdout\n"));
  EXPECT_THAT(result.out, Not(HasSubstr("data_dir"))) << "the command line of spoold says it";
  EXPECT_THAT(result.err, HasSubstr("targets.a.url is hidden and was not compared"));
  EXPECT_THAT(result.out + result.err, Not(HasSubstr("secret")));
  const CtlResult json = Run({"config", "diff", path, "-o", "json"});
  EXPECT_EQ(json.exit, 1);
  EXPECT_THAT(json.out, HasSubstr("\"needs_restart\": true"));
  File("version: 1\nx: 1\n");
  EXPECT_EQ(Run({"config", "diff", path}).exit, 78);
}

TEST_F(CtlConfig, TestTellsEachTestAndEndsWithOneWhenOneFails) {
  std::ofstream(dir_ / "node.json")
      << R"({"kind":"Event","metadata":{"name":"e","uid":"u"},"involvedObject":{"kind":"Node","name":"n"},"reason":"NodeNotReady","type":"Warning"})";
  const std::string head =
      "version: 1\nroutes: [ { name: r, to: [a] } ]\ntargets: { a: { type: stdout } }\ntests:\n";
  const std::string good =
      "  - { name: it is kept, event: { file: node.json }, expect: { stream: "
      "infrastructure-changes, routes: [r] } }\n";
  const std::string path = File(head + good);
  CtlResult result = RunCtl({"--server", "http://127.0.0.1:9", "config", "test", path});
  EXPECT_EQ(result.exit, 0) << result.err;
  EXPECT_EQ(result.out, "ok    it is kept\n1 test, 0 failed\n");
  File(head + good +
       "  - { name: it goes nowhere, event: { file: node.json }, expect: { routes: [] } }\n");
  result = Run({"config", "test", path});
  EXPECT_EQ(result.exit, 1);
  EXPECT_EQ(result.out, "ok    it is kept\nFAIL  it goes nowhere   (" + path +
                            ":6:13)\n"
                            "        routes: expected none\n                  but is r\n"
                            "        event: k8s-event category=infrastructure subcategory=node "
                            "severity=warning kind=Node name=n reason=NodeNotReady\n"
                            "2 tests, 1 failed\n");
  result = Run({"config", "test", path, "-o", "json"});
  EXPECT_EQ(result.exit, 1);
  EXPECT_THAT(result.out, HasSubstr("\"expected\": \"none\""));
  File("version: 1\ntargets: { a: { type: stdout } }\n");
  EXPECT_EQ(Run({"config", "test", path}).out, "there are no tests in " + path + "\n");
}

TEST_F(CtlConfig, TestWithHistoryShowsWhatWouldGoOtherWays) {
  const std::string text = "version: 1\ntargets: { a: { type: stdout } }\n";
  const std::string path = File(text);
  admin_.On(
      "POST /api/v1/config:test", 200,
      R"({"events":1000,"first":1,"end":1001,"changed":12,"routes":[{"name":"r","state":"kept","before":0,"after":12,"gained":12,"lost":0,"elsewhere":0}],"targets":[{"name":"old","state":"removed","before":12,"after":0,"gained":0,"lost":12,"elsewhere":0},{"name":"bus","state":"kept","before":5,"after":5,"gained":0,"lost":0,"elsewhere":5}],"samples":[{"sequence":1000,"stream":"s","subject":"Pod/a/b","reason":"R","gained":["a"],"lost":["old"],"elsewhere":[{"target":"bus","before":"topic a, key k","after":"topic b, key k"}]}]})");
  const CtlResult result = Run({"config", "test", path, "--history", "1000"});
  EXPECT_EQ(result.exit, 0) << result.err;
  EXPECT_EQ(result.out,
            "of the last 1,000 events, 12 go other ways than with the running configuration\n"
            "routes, events before and after:\n  r: 0 -> 12, 12 more\n"
            "targets, events before and after:\n  old (removed): 12 -> 0, 12 no more\n"
            "  bus: 5 -> 5, 5 go elsewhere there\n"
            "the newest of them:\n"
            "  1000  s  Pod/a/b  R  +a  -old  bus: topic a, key k -> topic b, key k\n"
            "stored events stay in the streams that they are in\n");
  EXPECT_EQ(admin_.requests().back(), "POST /api/v1/config:test?history=1000 " + text);
  EXPECT_EQ(Run({"config", "test", path, "--history", "0"}).exit, 2);
}

TEST_F(CtlConfig, ImportPrintsAConfigurationThatIsValid) {
  const std::string from = SourceDir() + "/tests/golden/import/configmap.yaml";
  const CtlResult result = Run({"config", "import", "kubernetes-event-exporter", from});
  EXPECT_EQ(result.exit, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("never worked"));
  const std::string path = File(result.out);
  EXPECT_EQ(Run({"config", "validate", path}).exit, 0);
  EXPECT_EQ(Run({"config", "import", "kubernetes-event-exporter", dir_ / "none"}).exit, 4);
  EXPECT_EQ(Run({"config", "import", "kubernetes-event-exporter", File("a: 1\n")}).exit, 78);
  EXPECT_EQ(Run({"config", "import", "fluent-bit", path}).exit, 2);
}

TEST_F(CtlConfig, SchemaIsTheOneThatIsKept) {
  std::ifstream in(SourceDir() + "/schemas/config.schema.json");
  const std::string kept{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(Run({"config", "schema"}).out, kept);
}

}  // namespace
}  // namespace spool::testing
