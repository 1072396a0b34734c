// What the tests of spoolctl beside an admin API share.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/ctl_fixture.h"

namespace spool::testing {

inline net::HttpResponse Ok(std::string body, int status = 200) {
  net::HttpResponse response;
  response.status = status;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

inline std::string EventLine(uint64_t sequence, const std::string& message = "m") {
  const std::string n = std::to_string(sequence);
  return R"({"specversion":"1.0","id":"id)" + n + R"(","sequence":")" + n +
         R"(","stream":"s","acceptedtime":"2026-11-20T06:11:14.000000Z","severity":"info",)" +
         R"("kind":"Pod","name":"p","reason":"R","data":{"message":")" + message + R"("}})" + "\n";
}

inline std::string ScanEnd(bool complete, uint64_t next, uint64_t scanned) {
  return R"({"scan":{"complete":)" + std::string(complete ? "true" : "false") +
         R"(,"first":1,"next":)" + std::to_string(next) + R"(,"scanned":)" +
         std::to_string(scanned) + R"(,"matched":0}})" + "\n";
}

class Ctl : public ::testing::Test {
 protected:
  CtlProcess::Options On(int columns = 0) const {
    CtlProcess::Options options;
    options.env = {{"SPOOLCTL_SERVER", admin_.url()}};
    options.columns = columns;
    return options;
  }
  CtlResult Run(const std::vector<std::string>& args) const { return RunCtl(args, On()); }

  std::string TempFile(const std::string& text) {
    std::string path = ::testing::TempDir() + "/spoolctl-XXXXXX";
    const int fd = mkstemp(path.data());
    EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    close(fd);
    files_.push_back(path);
    return path;
  }
  ~Ctl() override {
    for (const std::string& file : files_) std::filesystem::remove(file);
  }

  FakeAdmin admin_;

 private:
  std::vector<std::string> files_;
};

// Whether `text` holds anything but printable characters and line ends; our own colours are taken
// out first by the caller.
inline bool IsTame(const std::string& text) {
  for (const char* hostile :
       {"\x1b", "\x07", "\x7f", "\u009b", "\u202e", "\u2066", "\u2069", "\u200b", "\t"}) {
    if (text.find(hostile) != text.npos) return false;
  }
  return true;
}

}  // namespace spool::testing
