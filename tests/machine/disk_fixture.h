// The program on a small volume of its own.
#pragma once

#include <algorithm>
#include <fstream>
#include <iterator>

#include "tests/support/bulk_load.h"
#include "tests/support/crash_fixture.h"
#include "tests/support/machine.h"
#include "tests/support/net_raw_client.h"

namespace spool::testing {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr std::chrono::seconds kRecovers{10};  // from a disk that was full, without a restart

inline std::string TextOf(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline double MetricOf(const std::string& admin, const std::string& name) {
  const std::string text = "\n" + Call("GET", admin, "/metrics").body;
  const size_t at = text.find("\n" + name + " ");
  return at == text.npos ? -1 : std::strtod(text.c_str() + at + name.size() + 2, nullptr);
}

// One request as bytes, so that headers are seen as they are sent.
inline std::optional<test::RawAnswer> PostRaw(const std::string& address, const std::string& body) {
  const int port = std::atoi(address.substr(address.rfind(':') + 1).c_str());
  auto socket = test::RawSocket::Connect(port);
  socket.Send(
      "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
      "Content-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body);
  return socket.ReadAnswer();
}

// A program with a webhook and a file target on a volume of its own. One thread.
class OnAVolume : public ::testing::Test {
 protected:
  OnAVolume() : volume_(dir_ / "data", 400 * kMiB) {
    ingest_ = "127.0.0.1:" + std::to_string(test::UnusedPort());
    do {
      admin_ = "127.0.0.1:" + std::to_string(test::UnusedPort());
    } while (admin_ == ingest_);
    load_ = std::make_unique<BulkLoad>(ingest_);
    EXPECT_TRUE(volume_.ok()) << "a volume could not be mounted: these tests need root";
  }

  // `more` is YAML of the top level.
  std::unique_ptr<Spoold> Start(const std::string& reserve, const std::string& more = "",
                                const std::vector<std::string>& under = {}) {
    std::ofstream(dir_ / "spool.yaml")
        << "version: 1\ndata_dir: " << data_dir_ << "\njournal: { disk_reserve: " << reserve
        << " }\nadmin: { address: \"" << admin_ << "\" }\n"
        << "sources:\n  web: { type: http, address: \"" << ingest_ << "\" }\n"
        << "targets:\n  hook: { type: webhook, format: batch, url: \"" << receiver_.url()
        << "\", start: beginning, retry: { first: 20ms, max: 200ms } }\n"
        << "  none: { type: null, start: beginning }\n"
        << more;
    return std::make_unique<Spoold>(std::vector<std::string>{"--config", dir_ / "spool.yaml"},
                                    log(), under);
  }
  std::string log() const { return dir_ / "log"; }
  std::string Told() const { return "log:\n" + TextOf(log()); }
  bool WaitReady() const {
    return WaitUntil([&] { return Call("GET", admin_, "/ready").status == 200; });
  }
  nlohmann::json Status() const { return Call("GET", admin_, "/api/v1/status").Json(); }
  nlohmann::json Target(const std::string& name) const {
    return Call("GET", admin_, "/api/v1/targets/" + name).Json();
  }
  nlohmann::json Stream(const std::string& name) const {
    return Call("GET", admin_, "/api/v1/streams/" + name).Json();
  }
  bool WaitBelowReserve(bool below) const {
    return WaitUntil(
        [&] {
          const nlohmann::json status = Status();
          return status.is_object() && status["disk"]["below_reserve"] == below;
        },
        kRecovers);
  }
  bool WaitSettled(const std::string& target) const {
    return WaitUntil(
        [&] {
          const nlohmann::json t = Target(target);
          return t.is_object() && t.value("pending", uint64_t{1}) == 0;
        },
        std::chrono::seconds(60));
  }
  void Load(uint64_t requests, int connections = 2) {
    load_->Begin({.connections = connections, .requests_max = requests});
    load_->Wait();
  }
  // Every acknowledged event is stored once, but for the first `evicted`.
  void CheckStored() {
    const std::vector<uint64_t> stored = NumbersIn(admin_);
    EXPECT_EQ(std::adjacent_find(stored.begin(), stored.end()), stored.end()) << "stored twice";
    uint64_t evicted = 0;
    const nlohmann::json status = Status();
    for (const auto& stream : status["streams"]) evicted += stream["evicted"].get<uint64_t>();
    uint64_t missing = 0;
    for (const uint64_t n : load_->numbers()) {
      if (!std::binary_search(stored.begin(), stored.end(), n)) ++missing;
    }
    EXPECT_LE(missing, evicted) << "acknowledged and lost; " << Told();
    for (const auto& t : status["targets"]) {
      const auto count = [&](const char* key) { return t[key].get<uint64_t>(); };
      EXPECT_EQ(count("accepted"), count("delivered") + count("filtered") + count("dead_lettered") +
                                       count("evicted") + count("skipped") + count("pending"))
          << t;
    }
    EXPECT_EQ(Status()["accounted"], true);
  }

  const AppDir dir_;
  Receiver receiver_;
  std::string data_dir_ = dir_ / "data";
  Volume volume_;
  std::string ingest_;
  std::string admin_;
  std::unique_ptr<BulkLoad> load_;
};

}  // namespace spool::testing
