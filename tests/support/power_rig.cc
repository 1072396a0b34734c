#include "tests/support/power_rig.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/paths.h"

namespace spool::testing {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::seconds;

namespace {

constexpr uint64_t kDiskBytes = uint64_t{384} << 20;
constexpr int kSecondsALife = 25;

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string Tail(const std::string& text, size_t bytes) {
  return text.substr(text.size() > bytes ? text.size() - bytes : 0);
}

uint64_t NumberIn(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_number_unsigned() ? at->get<uint64_t>() : 0;
}

}  // namespace

PowerRig::PowerRig() {
  fs::create_directory(dir_ / "disk");
  fs::create_directory(dir_ / "share");
  fs::create_directory(dir_ / "kernel");
  const std::string common = ", start: beginning, retry: { first: 20ms, max: 200ms } }\n";
  std::ofstream(dir_ / "spool.yaml")
      << "version: 1\ndata_dir: " << dir_ / "disk/data"
      << "\njournal: { disk_reserve: 0 }\n"
      << "admin: { address: \"127.0.0.1:8081\" }\n"
      << "streams:\n  kubernetes-events: { retention: { age: 1m } }\n"
      << "  infrastructure-changes: { retention: { age: 1m } }\n"
      << "sources:\n  web: { type: http, address: \"127.0.0.1:8080\" }\n"
      << "targets:\n  file: { type: file, path: " << dir_ / "disk/out.jsonl" << common
      << "  hook: { type: webhook, format: batch, url: \"http://127.0.0.1:9000/hook\"" << common;
}

PowerRig::~PowerRig() {
  if (HasFailure()) std::printf("%s\n", Told().c_str());
}

void PowerRig::NewDisk(uint64_t seed) {
  guest_.reset();
  seed_ = seed;
  random_.seed(seed);
  history_ = {};
  file_.clear();
  ASSERT_EQ(MakeExt4(dir_ / "image", kDiskBytes), "");
}

void PowerRig::Boot() {
  history_.BeginLife();
  UmlGuest::Options options;
  options.init = BinaryDir() + "/power_guest";
  options.environment = {{"POWER_DIR", dir_.path()}, {"POWER_BIN", BinaryDir()}};
  options.image = dir_ / "image";
  options.console = dir_ / "console";
  options.dir = dir_ / "kernel";
  guest_ = UmlGuest::Boot(options, [this](const std::string& line) {
    if (line != "mounted" && line != "started") history_.Hear(line);  // answers nobody waited for
  });
  ASSERT_NE(guest_, nullptr);
  ASSERT_TRUE(guest_->Wait({"up"})) << "the guest does not come up; " << Told();
  Ask("clock " + std::to_string(history_.life() * kSecondsALife), "set");
}

std::string PowerRig::Ask(const std::string& command, const std::string& answer,
                          std::chrono::milliseconds limit) {
  if (::testing::Test::HasFatalFailure()) return "";
  guest_->Say(command);
  const auto said = guest_->Wait({answer, "failed", "damaged", "ended"}, limit);
  if (!said || said->starts_with("failed")) {
    ADD_FAILURE() << command << ": " << said.value_or("no answer") << "; " << Told();
    return "";
  }
  return *said;
}

void PowerRig::Mount() { Ask("mount", "mounted"); }

std::string PowerRig::Start(const std::string& environment) {
  Ask("start " + environment, "started");
  return Ask("await", "ready");
}

void PowerRig::BeginStart() {
  guest_->Say("mount");
  guest_->Say("start");
}

void PowerRig::BeginLoad() {
  std::string again;
  for (const auto& [first, count] : history_.TakeInDoubt()) {
    again += " " + std::to_string(first) + ":" + std::to_string(count);
  }
  Ask("load " + std::to_string(random_() % 1'000'000) + " " +
          std::to_string(history_.next_number()) + again,
      "loading");
}

void PowerRig::EndLoad() { Ask("quiet", "quieted"); }

void PowerRig::LoadFor(std::chrono::milliseconds time) {
  ASSERT_TRUE(guest_->Listen(time)) << "it went down by itself; " << Told();
}

void PowerRig::Cut() {
  ASSERT_TRUE(guest_->Cut()) << "it was down already; " << Told();
  guest_.reset();
  ASSERT_EQ(history_.unreadable(), "");
}

void PowerRig::StopAndVerify() {
  ASSERT_EQ(Ask("stop", "stopped"), "stopped 0") << Told();
  const std::string report = dir_ / "share/report";
  EXPECT_EQ(Ask("run " + report + " " + BinaryDir() + "/spoolctl offline verify --data-dir " +
                    (dir_ / "disk/data"),
                "ran"),
            "ran 0")
      << ReadAll(report) << Told();
  const std::string out = dir_ / "disk/out.jsonl";
  Ask("copy " + (dir_ / "share/file") + " 0 " + out, "copied");
  EXPECT_TRUE(ReadAll(dir_ / "share/file") == file_) << "the target's file is not what it was";
  if (!file_.empty()) Ask("remove " + out, "removed");
  file_.clear();
}

void PowerRig::SwitchOff() {
  Ask("unmount", "unmounted");
  Cut();
  EXPECT_EQ(CheckExt4(dir_ / "image"), "");
}

std::string PowerRig::Get(const std::string& path) {
  const std::string file = dir_ / "share/answer";
  EXPECT_EQ(Ask("get " + file + " " + path, "got"), "got 200") << path;
  return ReadAll(file);
}

json PowerRig::GetJson(const std::string& path) {
  json answer = json::parse(Get(path), nullptr, false);
  EXPECT_TRUE(answer.is_object()) << path;
  return answer.is_object() ? answer : json::object();
}

FoundEvent PowerRig::Read(const json& event, uint64_t* sequence) {
  const json none = json::object();
  const json& data = event.is_object() && event.contains("data") ? event["data"] : none;
  const uint64_t number = NumberIn(data, "n");
  const PowerBatch batch{NumberIn(data, "first"), NumberIn(data, "count")};
  FoundEvent found = PowerHistory::FoundOf(number, batch, PowerHistory::HashOf(data));
  const bool named = event.is_object() && event.value("id", "") != "" &&
                     event.value("producerid", "") == "p-" + std::to_string(number);
  if (!named) found.number = FoundEvent::kUnknown;
  if (found.number != FoundEvent::kUnknown) history_.Complete(number, batch);
  *sequence =
      event.is_object() ? std::strtoull(event.value("sequence", "0").c_str(), nullptr, 10) : 0;
  if (event.is_object()) found.stream = event.value("stream", "");
  return found;
}

void PowerRig::ReadEvents(Found* found) {
  found->events.clear();
  std::map<std::string, uint64_t> ordinals;
  for (const auto& [name, stream] : found->streams) ordinals[name] = stream.evicted;
  uint64_t from = 0;
  for (bool more = true; more;) {
    std::istringstream lines(
        Get("/api/v1/events?order=oldest&limit=10000&from_sequence=" + std::to_string(from)));
    json scan;
    for (std::string line; std::getline(lines, line);) {
      const json event = json::parse(line, nullptr, false);
      if (event.is_object() && event.contains("scan")) {
        scan = event["scan"];
        continue;
      }
      uint64_t sequence = 0;
      FoundEvent read = Read(event, &sequence);
      read.sequence = sequence;
      read.ordinal = ordinals[read.stream]++;  // the API tells none: they are dense or missed below
      found->events.push_back(std::move(read));
    }
    ASSERT_TRUE(scan.is_object()) << "an answer without its end";
    const uint64_t next = NumberIn(scan, "next");
    more = next < found->end;
    ASSERT_TRUE(!more || next > from) << scan;
    from = next;
  }
}

// Every sequence must be there from the first that retention left on; a stream's are counted by its
// own status. What is new in the target's file goes to the history.
void PowerRig::ReadFile() {
  const std::string path = dir_ / "share/file";
  const std::string said =
      Ask("copy " + path + " " + std::to_string(file_.size()) + " " + (dir_ / "disk/out.jsonl"),
          "copied");
  const std::string more = ReadAll(path);
  ASSERT_EQ(said, "copied " + std::to_string(file_.size() + more.size()))
      << "the target's file lost what was there";
  std::istringstream lines(more);
  for (std::string line; std::getline(lines, line);) {
    uint64_t sequence = 0;
    const FoundEvent event = Read(json::parse(line, nullptr, false), &sequence);
    history_.HearFile(event.number, sequence);
  }
  ASSERT_TRUE(more.empty() || more.back() == '\n') << "a line without its end";
  file_ += more;
}

void PowerRig::Look(Found* found) {
  for (;;) {
    *found = {};
    const json status = GetJson("/api/v1/status");
    ASSERT_TRUE(status.contains("sequence") && status.contains("streams")) << status;
    found->end = NumberIn(status["sequence"], "end");
    found->drained = true;
    uint64_t evicted = 0;
    for (const json& stream : status["streams"]) {
      const std::string name = stream["name"];
      found->streams[name] = {NumberIn(stream, "first_sequence"), NumberIn(stream, "evicted"), 0,
                              NumberIn(stream, "events"), true};
      evicted += NumberIn(stream, "evicted");
    }
    const json markers = GetJson("/api/v1/markers");
    for (const json& marker : markers["items"]) {
      if (marker["kind"] == "evicted") {
        found->streams[marker["subject"]].marked += NumberIn(marker, "events");
      }
    }
    for (const json& target : status["targets"]) {
      FoundCursor& cursor = found->cursors["target/" + target["name"].get<std::string>()];
      cursor.next = NumberIn(target, "cursor");
      Account& a = cursor.account;
      a.accepted = NumberIn(target, "accepted");
      a.delivered = NumberIn(target, "delivered");
      a.filtered = NumberIn(target, "filtered");
      a.dead_lettered = NumberIn(target, "dead_lettered");
      a.evicted = NumberIn(target, "evicted");
      a.skipped = NumberIn(target, "skipped");
      a.pending = NumberIn(target, "pending");
      for (const auto& [name, stream] : found->streams) cursor.streams.insert(name);
    }
    ReadEvents(found);
    if (HasFatalFailure()) return;
    uint64_t now_evicted = 0;  // retention goes on meanwhile
    const json after = GetJson("/api/v1/status");
    for (const json& stream : after["streams"]) now_evicted += NumberIn(stream, "evicted");
    stored_ = found->events.size();
    evicted_ = evicted;
    if (now_evicted == evicted) return;
  }
}

std::vector<Violation> PowerRig::Check() {
  Found found;
  Ask("settle", "settled");
  if (!HasFatalFailure()) ReadFile();
  if (!HasFatalFailure()) Look(&found);
  if (HasFatalFailure()) return {{"look", "failed"}};
  if (ReadAll(dir_ / "console").find("watermark file cannot be made sense of") !=
      std::string::npos) {
    return {{"watermark", "was lost in a cut"}};
  }
  return history_.JudgeAndSettle(found);
}

std::chrono::milliseconds PowerRig::Random(int from, int to) {
  return std::chrono::milliseconds(std::uniform_int_distribution<int>(from, to)(random_));
}

std::string PowerRig::Counted() const {
  const auto text = [](uint64_t n) { return std::to_string(n); };
  return text(history_.acknowledged()) + " of " + text(history_.sent()) + " events acknowledged, " +
         text(history_.in_doubt()) + " requests in doubt, " + text(history_.delivered()) +
         " deliveries, " + text(stored_) + " stored at the end, " + text(evicted_) + " evicted";
}

std::string PowerRig::Told() {
  const fs::path kept = fs::path(BinaryDir()) / ".." / "power-failed.img";
  std::error_code error;
  if (!kept_) fs::copy_file(dir_ / "image", kept, fs::copy_options::overwrite_existing, error);
  kept_ = true;
  return "seed " + std::to_string(seed_) + ", life " + std::to_string(history_.life()) +
         ", the disk is kept as " + kept.lexically_normal().string() + "; it said:\n" +
         Tail(ReadAll(dir_ / "console"), 4000);
}

}  // namespace spool::testing
