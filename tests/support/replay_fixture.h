// A journal, a target that appends JSON lines to a file, and the replays over them.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "replay/jobs.h"
#include "tests/support/forward_fixture.h"

namespace spool {

class ReplayTest : public testing::Test {
 protected:
  void SetUp() override {
    journal_.Open();
    targets_["files"] = FileTarget("files");
  }
  void TearDown() override { jobs_.reset(); }

  std::string path() const { return journal_.dir() + "/out.jsonl"; }
  TargetSettings FileTarget(const std::string& name) const {
    TargetSettings settings;
    settings.name = name;
    settings.type = "file";
    settings.sink.target = name;
    settings.sink.of = FileSettings{path()};
    return settings;
  }

  void OpenJobs(ReplayOptions options = {}) {
    auto jobs = ReplayJobs::Open(
        *journal_,
        [this](std::string_view name) -> std::optional<ReplayJobs::TargetParts> {
          std::optional<ReplayJobs::TargetParts> parts;
          {
            const std::lock_guard lock(mutex_);
            const auto found = targets_.find(std::string(name));
            if (found == targets_.end()) return std::nullopt;
            auto router = routes_.empty() ? Router::Compile({}, name, true)
                                          : Router::Compile(routes_, name, false);
            EXPECT_TRUE(router.has_value());
            parts = ReplayJobs::TargetParts{found->second, *router};
          }
          if (const auto then = std::exchange(after_find_, nullptr)) then();
          return parts;
        },
        RealClock(), options);
    ASSERT_TRUE(jobs.has_value()) << jobs.error().message;
    jobs_ = std::move(*jobs);
  }
  void StopJobs() {
    jobs_->Stop(RealClock().Steady() + std::chrono::seconds(5));
    jobs_.reset();
  }
  // As a restart of the service does it.
  void Restart() {
    StopJobs();
    journal_.Close();
    journal_.Open();
    OpenJobs();
  }

  static ReplayRequest Range(uint64_t first, std::optional<uint64_t> end = {}) {
    ReplayRequest request;
    request.target = "files";
    request.first = Sequence{first};
    if (end) request.end = Sequence{*end};
    return request;
  }
  std::string Start(const ReplayRequest& request) {
    auto started = jobs_->Start(request);
    EXPECT_TRUE(started.has_value()) << started.error().message;
    return started ? started->id : "";
  }
  ReplayStatus Get(const std::string& id) {
    auto status = jobs_->Get(id);
    EXPECT_TRUE(status.has_value());
    return status ? *status : ReplayStatus();
  }
  bool Await(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    std::unique_lock lock(waiting_);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      never_.wait_for(lock, std::chrono::milliseconds(2));
    }
    return true;
  }
  ReplayStatus AwaitState(const std::string& id, ReplayState state) {
    EXPECT_TRUE(Await([&] { return Get(id).state == state; }))
        << ReplayStateName(Get(id).state) << " " << Get(id).error;
    return Get(id);
  }
  bool HasCursor(const std::string& name) {
    for (const CursorStatus& cursor : journal_->Cursors()) {
      if (cursor.name == name) return true;
    }
    return false;
  }
  // What the file has.
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    std::ifstream file(path());
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  static bool IsEvent(const std::string& line, uint64_t number, const std::string& replay) {
    const auto has = [&](const std::string& text) { return line.find(text) != std::string::npos; };
    const std::string id = Sha256Prefix("event-" + std::to_string(number)).Hex();
    return has("\"id\":\"" + id + "\"") && has("\"replay\":\"" + replay + "\"") &&
           has("{\"n\":" + std::to_string(number) + "}");
  }
  // How often each of the events 1 to `count` is in the file.
  std::vector<int> Arrivals(uint64_t count, const std::string& replay) const {
    std::vector<int> arrivals(count, 0);
    for (const std::string& line : Lines()) {
      for (uint64_t n = 1; n <= count; ++n) {
        if (IsEvent(line, n, replay)) ++arrivals[n - 1];
      }
    }
    return arrivals;
  }

  ForwardJournal journal_;
  std::mutex mutex_;  // guards the next two
  std::map<std::string, TargetSettings> targets_;
  std::vector<RouteSettings> routes_;
  std::unique_ptr<ReplayJobs> jobs_;
  std::function<void()> after_find_;  // once, when a target was looked up and before it is used

 private:
  std::mutex waiting_;
  std::condition_variable never_;
};

}  // namespace spool
