#include "tests/support/ctl_golden.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include "tests/support/paths.h"

namespace spool::testing {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path;
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

std::string GoldenDirectory() { return SourceDir() + "/tests/golden/ctl"; }

void ReplaceAll(std::string& text, const std::string& what, const std::string& by) {
  for (size_t at = 0; (at = text.find(what, at)) != text.npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
}

std::string Golden(const std::string& path, const std::string& now) {
  if (std::getenv("SPOOL_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << now;
  return ReadAll(path);
}

// An answer from a file; "$AGO{6d}" in it becomes the time so long ago.
std::string CtlGoldenAdmin::Answer(const std::string& file) {
  std::string text = ReadAll(GoldenDirectory() + "/" + file);
  static const std::regex kAgo(R"(\$AGO\{(\w+)\})");
  for (std::smatch m; std::regex_search(text, m, kAgo);) {
    const std::string time = TimeAgo(m[1]);
    ago_[time] = "AGO(" + m[1].str() + ")";
    text.replace(static_cast<size_t>(m.position()), static_cast<size_t>(m.length()), time);
  }
  return text;
}

CtlGoldenAdmin::CtlGoldenAdmin() {
  const std::pair<const char*, const char*> answers[] = {
      {"GET /api/v1/status", "status.json"},
      {"GET /api/v1/streams", "streams.json"},
      {"GET /api/v1/streams/quarantine", "stream.json"},
      {"GET /api/v1/targets", "targets.json"},
      {"GET /api/v1/targets/servicenow", "target.json"},
      {"POST /api/v1/targets/servicenow:pause", "target.json"},
      {"POST /api/v1/targets/servicenow:resume", "target.json"},
      {"GET /api/v1/sources", "sources.json"},
      {"GET /api/v1/source-gaps", "source_gaps.json"},
      {"GET /api/v1/source-gaps?source=web", "source_gaps.json"},
      {"GET /api/v1/dead-letters", "dead_letters.json"},
      {"GET /api/v1/dead-letters/servicenow-4118871", "dead_letter.json"},
      {"POST /api/v1/dead-letters/servicenow-4118871:retry", "dead_letter.json"},
      {"POST /api/v1/dead-letters/servicenow-4118871:drop", "dead_letter.json"},
      {"GET /api/v1/replays", "replays.json"},
      {"GET /api/v1/replays/r-7f3k2a", "replay.json"},
      {"POST /api/v1/replays/r-7f3k2a:pause", "replay.json"},
      {"POST /api/v1/replays/r-7f3k2a:resume", "replay.json"},
      {"POST /api/v1/replays/r-7f3k2a:cancel", "replay.json"},
      {"GET /api/v1/events", "events.jsonl"},
      {"GET /api/v1/events/4118871", "event.json"},
      {"GET /api/v1/events/4118871:explain", "explanation.json"},
      {"POST /api/v1/events:explain", "explanations.json"},
      {"GET /api/v1/events/hostile", "hostile.jsonl"}};
  for (const auto& [path, file] : answers) admin_.On(path, 200, Answer(file));
  admin_.On(
      "POST /api/v1/targets/servicenow:test", 200,
      R"({"target":"servicenow","event_id":"a1","outcome":"delivered",)"
      R"("where":"POST https://acme.example/in","code":null,"excerpt":null,"seconds":0.012})");
  admin_.On("POST /api/v1/targets/kafka:test", 200,
            R"({"target":"kafka","event_id":"a1","outcome":"hold","where":"topic k8s",)"
            R"("code":"http_401","excerpt":"no \u001b[2Jway","seconds":0.1})");
  admin_.On("POST /api/v1/node:drain", 200, R"({"draining":false,"pending":0})");
  admin_.On("DELETE /api/v1/targets/old", 200, R"({"target":"old","pending":18402})");
  admin_.On("DELETE /api/v1/targets/kafka", 409, R"({"code":"conflict","detail":"It is there."})");
  admin_.On("GET /api/v1/version", 200, R"({"version":"9.8.7"})");
  admin_.On("POST /api/v1/targets/servicenow:skip", 200,
            R"({"target":"servicenow","skipped":18402})");
  admin_.On("POST /api/v1/dead-letters:retry", 200, R"({"matched":3,"done":3})");
  admin_.On("POST /api/v1/dead-letters:drop", 200, R"({"matched":3,"done":2})");
  const std::string plan = Answer("plan.json");
  const std::string replay = Answer("replay.json");
  admin_.On("POST /api/v1/replays", [=](const net::HttpRequest& request) {
    net::HttpResponse response;
    const bool dry = request.body.find("\"dry_run\":true") != request.body.npos;
    response.status = dry ? 200 : 201;
    response.body = dry ? plan : replay;
    return response;
  });
  admin_.On("GET /api/v1/config", 200, Answer("config.json"));
  admin_.On("POST /api/v1/config:reload", 200, Answer("reload.json"));
  admin_.On("POST /api/v1/config:test", 200, Answer("history.json"));
  admin_.On("POST /api/v1/config:validate", 200, R"({"ok":true})");
  admin_.On("POST /api/v1/node:snapshot", 200, R"({"dir":"/snapshots/monday","end":4118873})");
}

std::string CtlGoldenAdmin::Tell(const std::vector<std::string>& args,
                                 const CtlResult& result) const {
  std::string told = "$ spoolctl";
  for (const std::string& arg : args) told += " " + arg;
  told += "\n" + result.out;
  if (!result.err.empty()) told += "--- stderr\n" + result.err;
  told += "--- exit " + std::to_string(result.exit) + "\n";
  ReplaceAll(told, admin_.url(), "http://SERVER");
  ReplaceAll(told, "\r\n", "\n");
  ReplaceAll(told, "\x1b", "\\e");
  for (const auto& [time, name] : ago_) {
    ReplaceAll(told, time, name);
    ReplaceAll(told, time.substr(0, 19) + "Z", name);
  }
  return told;
}

}  // namespace spool::testing
