// Every example that spoolctl's help, README.md, docs/spoolctl.md and docs/api.md give, run by a
// shell as it stands there against a real spoold. What stands for something of the reader's own (an
// id, a path, an address) is put in its place; nothing else of a line is changed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "tests/support/app_http.h"
#include "tests/support/net_raw_client.h"
#include "tests/support/paths.h"
#include "tests/support/spoold_process.h"

namespace spool::testing {
namespace {

using nlohmann::json;

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void Replace(std::string& text, const std::string& what, const std::string& by) {
  for (size_t at = 0; (at = text.find(what, at)) != text.npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
}

bool Has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

// ---- where examples are

struct Example {
  std::string from;
  std::string line;
};

bool IsCommand(const std::string& line) {
  return line.starts_with("spoolctl ") || line.starts_with("curl ") ||
         line.starts_with("build/release/bin/spoolctl ");
}
// Three spaces or more begin the remark behind a command.
std::string WithoutRemark(std::string line) {
  if (const size_t remark = line.find("   "); remark != line.npos) line.erase(remark);
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

// The commands among `lines`; where some begin with "$ ", only those: the others are answers.
void AddCommands(const std::string& from, const std::vector<std::string>& lines,
                 std::vector<Example>& examples) {
  const bool prompts = std::any_of(lines.begin(), lines.end(),
                                   [](const std::string& l) { return l.starts_with("$ "); });
  for (size_t i = 0; i < lines.size(); ++i) {
    std::string line = lines[i];
    if (prompts) {
      if (!line.starts_with("$ ")) continue;
      line.erase(0, 2);
    }
    if (!IsCommand(line)) continue;
    if (!line.ends_with('\\')) line = WithoutRemark(line);
    while (line.ends_with('\\') && i + 1 < lines.size()) line += "\n" + lines[++i];
    examples.push_back({from, line});
  }
}

// Code blocks but those marked as usage, and commands inside the text that name no placeholder.
std::vector<Example> ExamplesOfPage(const std::string& page) {
  std::vector<Example> examples;
  std::ifstream in(SourceDir() + "/" + page);
  EXPECT_TRUE(in) << page;
  std::vector<std::string> block;
  bool inside = false;
  bool usage = false;
  const std::regex code("`(spoolctl [^`]+ [^`]+)`");
  const std::regex placeholder("\\b[A-Z]{2,}\\b|…");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("```")) {
      if (inside && !usage) AddCommands(page, block, examples);
      inside = !inside;
      usage = line == "```usage";
      block.clear();
    } else if (inside) {
      block.push_back(line);
    } else {
      for (std::sregex_iterator it(line.begin(), line.end(), code), end; it != end; ++it) {
        const std::string command = (*it)[1];
        if (!std::regex_search(command, placeholder)) examples.push_back({page, command});
      }
    }
  }
  return examples;
}

// ---- the world that they are run in

// Webhooks by path. Away until told to be there; then /kafka and /servicenow refuse some events.
class Targets {
 public:
  Targets() {
    net::HttpServerOptions options;
    options.name = "targets";
    options.address = "127.0.0.1:0";
    auto server = net::HttpServer::Start(
        options, [this](net::HttpRequest&& request, net::HttpResponder responder) {
          const bool picky = request.path == "/kafka" || request.path == "/servicenow";
          if (!there_) {
            responder.Send(net::Problem(503, "away", "not yet"));
          } else if (picky && Has(request.body, "refuse-me")) {
            responder.Send(net::Problem(400, "refused", "field 'x' is not known here"));
          } else if (picky && Has(request.body, "too-large-for-you")) {
            responder.Send(net::Problem(413, "too_large", "that is too much"));
          } else {
            responder.Send({});
          }
        });
    EXPECT_TRUE(server.has_value());
    if (server) server_ = std::move(*server);
  }
  ~Targets() { server_->Stop(RealClock().Steady()); }
  void ComeUp() { there_ = true; }
  std::string url(const std::string& name) const {
    return "http://" + server_->address() + "/" + name;
  }

 private:
  std::atomic<bool> there_{false};
  std::unique_ptr<net::HttpServer> server_;
};

class Examples : public ::testing::Test {
 protected:
  void SetUp() override {
    ingest_ = "127.0.0.1:" + std::to_string(test::UnusedPort());
    do {
      admin_ = "127.0.0.1:" + std::to_string(test::UnusedPort());
    } while (admin_ == ingest_);
    std::ofstream config(dir_ / "good.yaml");
    config << "version: 1\ndata_dir: " << dir_ / "data"
           << "\njournal: { disk_reserve: 0 }\n"
           << "admin: { address: \"" << admin_ << "\" }\n"
           << "sources:\n  web: { type: http, address: \"" << ingest_ << "\" }\ntargets:\n";
    for (const char* name : {"kafka", "servicenow", "splunk", "siem"}) {
      config << "  " << name << ": { type: webhook, url: \"" << targets_.url(name)
             << "\", start: beginning, retry: { first: 20ms, max: 200ms } }\n";
    }
    config.close();
    std::filesystem::copy_file(SourceDir() + "/schemas/samples/event-scheduled.json",
                               dir_ / "event.json");
    // What the page about `config validate` shows.
    std::ofstream(dir_ / "spool.yaml") << "version: 1\nstreems: {}\n";
    // A curl for which an answer of 400 and more is a failure.
    std::filesystem::create_directory(dir_ / "bin");
    std::ofstream(dir_ / "bin/curl")
        << "#!/bin/sh\nexec /usr/bin/curl --fail-with-body --max-time 30 \"$@\"\n";
    std::filesystem::permissions(dir_ / "bin/curl", std::filesystem::perms::owner_all);
    spoold_ = std::make_unique<Spoold>(std::vector<std::string>{"--config", dir_ / "good.yaml"},
                                       dir_ / "log");
    ASSERT_TRUE(WaitUntil([&] { return Call("GET", admin_, "/ready").status == 200; }));
    std::string events;
    for (int i = 0; i < 40; ++i) {
      const std::string text = i % 5 == 0 ? "refuse-me" : i % 7 == 0 ? "too-large-for-you" : "fine";
      events += R"({"n":)" + std::to_string(i) + R"(,"text":")" + text + "\"}\n";
    }
    events += R"({"specversion":"1.0","id":"alert-1","source":"falco.org",)"
              R"("type":"falco.rule.output.v1",)"
              R"("data":{"rule":"Terminal shell","source":"syscall","priority":"Critical"}})"
              "\n";
    ASSERT_EQ(Call("POST", ingest_, "/v1/events", events).status, 200);
  }

  json Get(const std::string& path) const { return Call("GET", admin_, path).Json(); }
  // The targets come up and have all that they take.
  void Deliver() {
    targets_.ComeUp();
    ASSERT_TRUE(WaitUntil([&] {
      const json targets = Get("/api/v1/targets");
      for (const json& target : targets["items"]) {
        if (target["pending"] != 0) return false;
      }
      return true;
    }));
    ASSERT_EQ(Call("POST", admin_, "/api/v1/node:snapshot", R"({"dir":")" + copy() + "\"}").status,
              200);
    NewReplay(false);
  }
  std::string copy() const { return dir_ / "copy"; }

  // One that takes its time, or one that is through at once.
  std::string NewReplay(bool slow) const {
    const HttpReply reply =
        Call("POST", admin_, "/api/v1/replays",
             std::string(R"({"target":"splunk","from":"1","rate":)") + (slow ? "0.1" : "0") + "}");
    EXPECT_EQ(reply.status, 201) << reply.body;
    return reply.Json().value("id", "");
  }
  std::string SomeLetter(const std::string& target) const {
    const json items = Get("/api/v1/dead-letters?target=" + target)["items"];
    EXPECT_FALSE(items.empty()) << target;
    return items.empty() ? "" : items.back()["id"].get<std::string>();
  }
  void EndReplays() const {
    const json replays = Get("/api/v1/replays");
    for (const json& replay : replays["items"]) {
      if (replay["state"] != "running" && replay["state"] != "paused") continue;
      const std::string path = "/api/v1/replays/" + replay["id"].get<std::string>();
      EXPECT_EQ(Call("POST", admin_, path + ":cancel").status, 200) << replay;
    }
  }

  // The reader's own things.
  std::string Concrete(std::string line) {
    Replace(line, "build/release/bin/", BinaryDir() + "/");
    Replace(line, "localhost:8080", ingest_);
    Replace(line, "localhost:8081", admin_);
    Replace(line, "/etc/spool/spool.yaml", dir_ / "good.yaml");
    Replace(line, "exporter.yaml", SourceDir() + "/tests/golden/import/configmap.yaml");
    Replace(line, "> spool.yaml", "> imported.yaml");
    Replace(line, "/var/lib/spool/snapshots/monday", dir_ / ("monday-" + std::to_string(++days_)));
    Replace(line, "/var/lib/spool", copy());
    for (const std::string target : {"kafka", "servicenow"}) {
      if (Has(line, target + "-4118871")) Replace(line, target + "-4118871", SomeLetter(target));
    }
    Replace(line, "4118871", "1");
    Replace(line, "3118872", "2");
    if (Has(line, "3f9c0a1b2c3d4e5f60718293a4b5c6d7")) {
      Replace(line, "3f9c0a1b2c3d4e5f60718293a4b5c6d7",
              Get("/api/v1/events/1")["id"].get<std::string>());
    }
    if (Has(line, "r-7f3k2a")) {
      EndReplays();
      const std::string id = NewReplay(!Has(line, "replay watch"));
      if (Has(line, "replay resume")) Call("POST", admin_, "/api/v1/replays/" + id + ":pause");
      Replace(line, "r-7f3k2a", id);
    }
    return line;
  }

  // How a line must end, and whether it does so only when it is interrupted.
  static int ExpectedExit(const std::string& line) {
    if (Has(line, "events tail")) return 130;
    if (Has(line, "config validate spool.yaml")) return 78;
    if (Has(line, "target rm")) return 4;  // there is no such place
    if (Has(line, "--event ")) return 1;   // its target refuses that one
    // Events that nobody took are there, which is worth a warning.
    if (Has(line, "spoolctl check") && !Has(line, "--dead -,-")) return 1;
    const bool asks =
        Has(line, "target skip") || Has(line, "dlq drop") || Has(line, "replay cancel");
    if (asks && !Has(line, "--yes") && !Has(line, " -y")) return 5;
    return 0;
  }

  void Run(const Example& example) {
    const std::string line = Concrete(example.line);
    SCOPED_TRACE(example.from + ": " + example.line + "\nrun as: " + line);
    const std::string out = dir_ / "said";
    const pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      setpgid(0, 0);
      const int fd = open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      dup2(open("/dev/null", O_RDONLY), 0);
      dup2(fd, 1);
      dup2(fd, 2);
      const std::string path = dir_ / "bin" + ":" + BinaryDir() + ":" + getenv("PATH");
      setenv("PATH", path.c_str(), 1);
      setenv("SPOOLCTL_CONTEXTS", (dir_ / "contexts.yaml").c_str(), 1);
      setenv("SPOOLCTL_SERVER", ("http://" + admin_).c_str(), 1);
      if (chdir(dir_.path().c_str()) != 0) _exit(126);
      execl("/bin/bash", "bash", "-o", "pipefail", "-c", line.c_str(), nullptr);
      _exit(127);
    }
    setpgid(pid, pid);
    const int expected = ExpectedExit(example.line);
    int status = 0;
    if (expected == 130) {
      EXPECT_TRUE(WaitUntil([&] { return Has(ReadFile(out), "\n"); })) << "it shows nothing";
      kill(-pid, SIGINT);
    }
    const bool ended =
        WaitUntil([&] { return waitpid(pid, &status, WNOHANG) == pid; }, std::chrono::seconds(60));
    if (!ended) {
      kill(-pid, SIGKILL);
      waitpid(pid, &status, 0);
    }
    EXPECT_TRUE(ended) << "it does not end\n" << ReadFile(out);
    const int exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    EXPECT_EQ(exit, expected) << ReadFile(out);
  }

  // What a command says of itself.
  std::string Help(const std::string& path) const {
    const std::string out = dir_ / "help";
    const std::string line = BinaryDir() + "/spoolctl " + path + " --help >" + out + " 2>&1";
    EXPECT_EQ(std::system(line.c_str()), 0) << path;  // NOLINT: our own words
    return ReadFile(out);
  }
  // Of a command and all below it. A command without commands must have one.
  void AddHelp(const std::string& path, std::vector<Example>& examples) const {
    std::istringstream help(Help(path));
    std::vector<std::string> below;
    std::vector<std::string> shown;
    std::string section;
    for (std::string line; std::getline(help, line);) {
      if (line.empty()) {
        section.clear();
      } else if (line == "Subcommands:" || line == "Example:" || line == "Examples:") {
        section = line;
      } else if (section == "Subcommands:" && line.starts_with("  ") && line[2] != ' ') {
        below.push_back(line.substr(2, line.find(' ', 2) - 2));
      } else if (section.starts_with("Example")) {
        shown.push_back(line.starts_with("  ") ? line.substr(2) : line);
      }
    }
    const size_t before = examples.size();
    AddCommands("spoolctl " + path + " --help", shown, examples);
    EXPECT_TRUE(!below.empty() || examples.size() > before)
        << "spoolctl " << path << " --help has no example";
    for (const std::string& name : below) {
      AddHelp(path.empty() ? name : path + " " + name, examples);
    }
  }

  const AppDir dir_;
  Targets targets_;
  std::string ingest_;
  std::string admin_;
  std::unique_ptr<Spoold> spoold_;
  int days_ = 0;
};

TEST_F(Examples, OfHelpAndPagesDoWhatTheySay) {
  std::vector<Example> examples;
  AddHelp("", examples);
  EXPECT_GE(examples.size(), 25u);
  for (const auto& [page, least] : std::vector<std::pair<const char*, size_t>>{
           {"README.md", 5}, {"docs/spoolctl.md", 25}, {"docs/api.md", 8}}) {
    const auto found = ExamplesOfPage(page);
    EXPECT_GE(found.size(), least) << page;
    examples.insert(examples.end(), found.begin(), found.end());
  }
  // Skipping is for a target that is behind; everything else is for one that works.
  for (const Example& example : examples) {
    if (Has(example.line, "target skip")) Run(example);
  }
  ASSERT_NO_FATAL_FAILURE(Deliver());
  for (const Example& example : examples) {
    if (!Has(example.line, "target skip")) Run(example);
  }
  std::printf("[          ] %zu examples\n", examples.size());
}

}  // namespace
}  // namespace spool::testing
