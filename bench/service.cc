#include "bench/service.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>

#include "bench/posts.h"
#include "tests/support/free_port.h"

namespace spool::bench {

Service::Service(const std::string& base, const std::vector<std::string>& sources)
    : dir_(base + "/spool-bench-XXXXXX") {
  if (mkdtemp(dir_.data()) == nullptr) {
    std::fprintf(stderr, "bench: cannot make a directory in %s\n", base.c_str());
    std::exit(1);
  }
  std::ofstream config(dir_ + "/spool.yaml");
  config << "version: 1\ndata_dir: " << dir_ << "/data\nlog: { level: error }\n"
         << "journal: { disk_reserve: 64MiB }\nadmin: { address: \"127.0.0.1:0\" }\n"
         << "targets:\n  nothing: { type: \"null\" }\nsources:\n";
  for (const std::string& more : sources) {
    int port = testing::FreePort();
    while (std::count(ports_.begin(), ports_.end(), port) > 0) port = testing::FreePort();
    ports_.push_back(port);
    config << "  s" << ports_.size() << ": { type: http, address: \"127.0.0.1:" << ports_.back()
           << "\"" << more << " }\n";
  }
  config.close();
  spoold_ = std::make_unique<testing::Spoold>(
      std::vector<std::string>{"--config", dir_ + "/spool.yaml"}, dir_ + "/log");
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  for (const int port : ports_) {
    while (!Connection::Listens(port)) {
      if (std::chrono::steady_clock::now() > give_up) {
        std::fprintf(stderr, "bench: spoold does not come up; see %s/log\n", dir_.c_str());
        std::exit(1);
      }
      never.wait_for(lock, std::chrono::milliseconds(10));
    }
  }
}

Service::~Service() {
  spoold_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

double Service::cpu_seconds() const {
  std::ifstream in("/proc/" + std::to_string(spoold_->pid()) + "/stat");
  std::string text;
  std::getline(in, text);
  std::istringstream fields(text.substr(text.rfind(')') + 2));  // the name may have spaces
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace spool::bench
