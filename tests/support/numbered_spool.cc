#include "tests/support/numbered_spool.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "app/config.h"
#include "spool/journal.h"
#include "spool/reader.h"
#include "tests/support/free_port.h"

namespace spool::testing {

NumberedSpool::NumberedSpool(std::string dir, const std::string& name, const std::string& source)
    : dir_(std::move(dir)), name_(name), admin_("127.0.0.1:" + std::to_string(FreePort())) {
  std::ofstream(dir_ + "/" + name_ + ".yaml")
      << "version: 1\ndata_dir: " << dir_ << "/" << name_ << "\njournal: { disk_reserve: 0 }\n"
      << "admin: { address: \"" << admin_ << "\" }\nsources: { in: " << source << " }\n"
      << "targets: {}\n";
}

void NumberedSpool::Start() {
  process_ = std::make_unique<Spoold>(
      std::vector<std::string>{"--config", dir_ + "/" + name_ + ".yaml"}, dir_ + "/log");
}

void NumberedSpool::End() {
  process_->Signal(SIGTERM);
  EXPECT_EQ(process_->Wait(std::chrono::seconds(25)), 0);
}

nlohmann::json NumberedSpool::Source() const {
  const nlohmann::json all = Call("GET", admin_, "/api/v1/sources").Json();
  if (!all.is_object() || !all.contains("items") || all["items"].empty()) {
    return nlohmann::json::object();
  }
  return all["items"][0];
}

uint64_t NumberedSpool::stored() const {
  const nlohmann::json status = Call("GET", admin_, "/api/v1/status").Json();
  if (!status.is_object() || !status.contains("sequence")) return 0;
  return status["sequence"]["end"].get<uint64_t>() - 1;
}

nlohmann::json NumberedSpool::gaps() const {
  const nlohmann::json all = Call("GET", admin_, "/api/v1/source-gaps").Json();
  return all.is_object() && all.contains("items") ? all["items"] : nlohmann::json();
}

void NumberedSpool::Count(std::map<uint64_t, int>* numbers) const {
  JournalOptions options;
  options.dir = dir_ + "/" + name_;
  options.streams = DefaultStreams();
  options.disk_reserve_bytes = 0;
  auto journal = Journal::Open(std::move(options));
  ASSERT_TRUE(journal) << journal.error().message;
  auto reader = (*journal)->NewReader((*journal)->AllWithSpecial());
  for (Sequence at = (*journal)->stored().first; at < (*journal)->end();) {
    const auto page = reader->Read(at, {});
    ASSERT_TRUE(page) << page.error().message;
    for (const EventView& event : page->events) {
      const auto data = nlohmann::json::parse(event.data, nullptr, false);
      ASSERT_TRUE(data.is_object() && data.contains("n")) << event.data.substr(0, 300);
      ++(*numbers)[data["n"].get<uint64_t>()];
    }
    at = page->next;
  }
}

void ExpectEachOnce(const std::map<uint64_t, int>& numbers, uint64_t count) {
  uint64_t missing = 0, repeated = 0;
  for (uint64_t n = 0; n < count; ++n) {
    const auto at = numbers.find(n);
    if (at == numbers.end()) ++missing;
    if (at != numbers.end() && at->second > 1) ++repeated;
  }
  EXPECT_EQ(missing, 0u) << "of " << count;
  EXPECT_EQ(repeated, 0u) << "of " << count;
  EXPECT_EQ(numbers.size(), count - missing);
}

}  // namespace spool::testing
