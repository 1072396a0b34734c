#include "tests/support/contract_targets.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "base/assert.h"
#include "forward/sink_factory.h"
#include "forward/sinks/sinks.h"
#include "net/http_server.h"
#include "tests/support/kafka_target.h"
#include "tests/support/nats_server.h"

namespace spool::testing {

ContractBatch::ContractBatch(size_t count, size_t size, size_t first) {
  bodies_.reserve(count);
  events_.reserve(count);
  for (size_t i = first; i < first + count; ++i) {
    EventView event;
    event.sequence = {i + 1};
    event.id = FastHash128("contract event " + std::to_string(i));
    event.stream = "kubernetes-events";
    event.category = "infrastructure";
    event.kind = "Pod";
    std::string body = R"({"specversion":"1.0","id":")" + event.id.Hex() +
                       R"(","source":"/contract","type":"t","data":{"n":)" + std::to_string(i) +
                       R"(,"text":"a \"quoted\" [1,{2}] \\ é)";
    if (body.size() + 3 < size) body.append(size - body.size() - 3, 'x');
    bodies_.push_back(body + "\"}}");
    events_.push_back(event);
  }
  for (size_t i = 0; i < count; ++i) messages_.push_back({&events_[i], bodies_[i], {}});
}

ContractDir::ContractDir() {
  const char* tmp = std::getenv("TMPDIR");
  path_ = std::string(tmp != nullptr && *tmp != '\0' ? tmp : "/tmp") + "/contract-XXXXXX";
  SPOOL_ASSERT(mkdtemp(path_.data()) != nullptr);
}
ContractDir::~ContractDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}
std::string ContractDir::Write(const std::string& name, const std::string& content) const {
  const std::string path = path_ + "/" + name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

void ContractTarget::Down() { SPOOL_ASSERT(false); }
void ContractTarget::Up() { SPOOL_ASSERT(false); }
void ContractTarget::Hang() { SPOOL_ASSERT(false); }
void ContractTarget::Unhang() { SPOOL_ASSERT(false); }
void ContractTarget::RefuseCredentials() { SPOOL_ASSERT(false); }
void ContractTarget::AcceptCredentials() { SPOOL_ASSERT(false); }
void ContractTarget::LimitSize(size_t) { SPOOL_ASSERT(false); }
void ContractTarget::Flaky() { SPOOL_ASSERT(false); }
void ContractTarget::Steady() { SPOOL_ASSERT(false); }

std::vector<std::string> DeliverAll(Sink& sink, const ContractBatch& batch, int attempts) {
  std::vector<std::string> credited;
  std::vector<Message> left(batch.messages().begin(), batch.messages().end());
  for (int attempt = 0; attempt < attempts && !left.empty(); ++attempt) {
    std::vector<Outcome> outcomes(left.size());
    sink.Deliver(left, outcomes, RealClock().Steady() + std::chrono::seconds(20), {});
    std::vector<Message> again;
    for (size_t i = 0; i < left.size(); ++i) {
      const Verdict verdict = outcomes[i].verdict;
      if (verdict == Verdict::kDelivered || verdict == Verdict::kDuplicate) {
        credited.emplace_back(left[i].body);
      } else {
        again.push_back(left[i]);
      }
    }
    left = std::move(again);
  }
  return credited;
}

namespace {

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(text.substr(begin, end - begin));
  }
  if (begin < text.size()) lines.push_back("TORN: " + text.substr(begin));
  return lines;
}

// The elements of a JSON array, byte for byte.
std::vector<std::string> Elements(const std::string& array) {
  std::vector<std::string> elements;
  if (array.size() < 2 || array.front() != '[' || array.back() != ']') return {"NO ARRAY"};
  int depth = 0;
  bool text = false;
  size_t begin = 1;
  for (size_t i = 1; i < array.size(); ++i) {
    const char c = array[i];
    if (text) {
      if (c == '\\') ++i;
      if (c == '"') text = false;
      continue;
    }
    if (c == '"') text = true;
    if (c == '{' || c == '[') ++depth;
    if ((c == ',' && depth == 0) || i + 1 == array.size()) {
      elements.push_back(array.substr(begin, i - begin));
      begin = i + 1;
    }
    if (c == '}' || c == ']') --depth;
  }
  return elements;
}

class NullTarget : public ContractTarget {
 public:
  std::unique_ptr<Sink> NewSink() override { return MakeSink({}).value(); }
  std::vector<std::string> Received() override { return {}; }
};

// A pipe with a reader at its other end.
class PipeTarget : public ContractTarget {
 public:
  PipeTarget() { Connect(); }
  ~PipeTarget() override {
    Disconnect();
    close(write_end_);
  }
  std::unique_ptr<Sink> NewSink() override { return MakeStdoutSink(write_end_); }

  std::vector<std::string> Received() override {
    std::unique_lock lock(mutex_);
    Drain(lock);
    return Lines(text_);
  }
  void Down() override {
    {
      std::unique_lock lock(mutex_);
      Drain(lock);
    }
    Disconnect();
  }
  void Up() override { Connect(); }
  Verdict verdict_when_down() const override { return Verdict::kHold; }
  void Hang() override {
    std::lock_guard lock(mutex_);
    reading_ = false;
  }
  void Unhang() override {
    {
      std::lock_guard lock(mutex_);
      reading_ = true;
    }
    changed_.notify_all();
  }

 private:
  void Connect() {
    int ends[2];
    SPOOL_ASSERT(pipe2(ends, O_CLOEXEC) == 0);
    read_end_ = ends[0];
    if (write_end_ < 0) {
      write_end_ = ends[1];
    } else {
      SPOOL_ASSERT(dup3(ends[1], write_end_, O_CLOEXEC) == write_end_);
      close(ends[1]);
    }
    reader_ = std::jthread([this](std::stop_token stop) { Read(stop); });
  }
  // Waits until all that was written has been read.
  void Drain(std::unique_lock<std::mutex>& lock) {
    const auto drained = [this] {
      int unread = 0;
      return read_end_ < 0 || (ioctl(read_end_, FIONREAD, &unread) == 0 && unread == 0);
    };
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(20), drained));
  }
  void Disconnect() {
    if (read_end_ < 0) return;
    reader_.request_stop();
    changed_.notify_all();
    reader_.join();
    std::lock_guard lock(mutex_);
    close(read_end_);
    read_end_ = -1;
  }
  void Read(const std::stop_token& stop) {
    std::vector<char> chunk(1 << 16);
    while (!stop.stop_requested()) {
      pollfd readable{read_end_, POLLIN, 0};
      const int ready = poll(&readable, 1, 10);
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [this] { return reading_; })) return;
      if (ready <= 0) continue;
      const ssize_t n = read(read_end_, chunk.data(), chunk.size());
      if (n <= 0) return;
      text_.append(chunk.data(), static_cast<size_t>(n));
      lock.unlock();
      changed_.notify_all();
    }
  }

  int write_end_ = -1;
  int read_end_ = -1;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::string text_;     // guarded by mutex_
  bool reading_ = true;  // guarded by mutex_
  std::jthread reader_;
};

class FileTarget : public ContractTarget {
 public:
  FileTarget() { std::filesystem::create_directory(folder_); }
  std::unique_ptr<Sink> NewSink() override {
    SinkSettings settings;
    settings.of = FileSettings{folder_ + "/events.jsonl"};
    return MakeSink(settings).value();
  }
  std::vector<std::string> Received() override {
    std::ifstream in(folder_ + "/events.jsonl", std::ios::binary);
    return Lines({std::istreambuf_iterator<char>(in), {}});
  }
  void Down() override { std::filesystem::rename(folder_, folder_ + ".gone"); }
  void Up() override { std::filesystem::rename(folder_ + ".gone", folder_); }
  Verdict verdict_when_down() const override { return Verdict::kHold; }

 private:
  ContractDir dir_;
  const std::string folder_ = dir_.path() + "/out";
};

class WebhookTarget : public ContractTarget {
 public:
  WebhookTarget(WebhookSettings::Format format, int concurrency)
      : format_(format), concurrency_(concurrency), secret_(dir_.Write("token", "right\n")) {
    Serve("127.0.0.1:0");
  }
  std::unique_ptr<Sink> NewSink() override {
    WebhookSettings webhook;
    webhook.url = "http://" + server_->address() + "/hook";
    webhook.format = format_;
    webhook.concurrency = concurrency_;
    webhook.bearer = Secret::FromFile(secret_);
    webhook.headers = {{"X-Contract", "yes"}};
    SinkSettings settings;
    settings.timeout = {Millis(2000), Millis(10000)};
    settings.of = webhook;
    return MakeSink(settings).value();
  }
  std::vector<std::string> Received() override {
    std::lock_guard lock(mutex_);
    return received_;
  }
  void Down() override { server_->Stop(RealClock().Steady()); }
  void Up() override { Serve(server_->address()); }
  void Hang() override {
    std::lock_guard lock(mutex_);
    hang_ = true;
  }
  void Unhang() override {
    std::vector<net::HttpResponder> held;
    std::lock_guard lock(mutex_);
    hang_ = false;
    held.swap(held_);
  }
  void RefuseCredentials() override {
    std::lock_guard lock(mutex_);
    token_ = "another";
  }
  void AcceptCredentials() override {
    std::lock_guard lock(mutex_);
    token_ = "right";
  }
  void LimitSize(size_t bytes) override {
    std::lock_guard lock(mutex_);
    size_max_ = bytes;
  }
  void Flaky() override {
    std::lock_guard lock(mutex_);
    flaky_ = true;
  }
  void Steady() override {
    std::lock_guard lock(mutex_);
    flaky_ = false;
  }

 private:
  void Serve(const std::string& address) {
    server_.reset();
    net::HttpServerOptions options;
    options.limits.body_bytes = size_t{64} << 20;
    options.limits.in_flight_bytes = size_t{256} << 20;
    options.name = "contract";
    options.address = address;
    auto started = net::HttpServer::Start(
        options, [this](net::HttpRequest&& request, net::HttpResponder responder) {
          Answer(request, std::move(responder));
        });
    SPOOL_ASSERT(started.has_value());
    server_ = std::move(*started);
  }

  void Answer(const net::HttpRequest& request, net::HttpResponder responder) {
    std::lock_guard lock(mutex_);
    if (hang_) {
      held_.push_back(std::move(responder));
      return;
    }
    ++requests_;
    net::HttpResponse response;
    if (request.Header("authorization") != "Bearer " + token_) {
      response = net::Problem(401, "unauthorized", "wrong token");
    } else if (request.method != "POST" || request.path != "/hook" ||
               request.Header("x-contract") != "yes" || !TypeFits(request)) {
      response = net::Problem(400, "contract", "not what was agreed");
    } else if (request.body.size() > size_max_) {
      response = net::Problem(413, "too_large", "too large");
    } else if (flaky_ && requests_ % 3 == 1) {
      response = net::Problem(503, "busy", "not now");
    } else {
      Take(request);
      // Taken, but the answer says otherwise: it has to come again.
      if (flaky_ && requests_ % 3 == 2) response = net::Problem(500, "broken", "or is it");
    }
    responder.Send(std::move(response));
  }

  bool TypeFits(const net::HttpRequest& request) const {
    const std::string_view type = request.Header("content-type");
    switch (format_) {
      case WebhookSettings::Format::kStructured:
        return type == "application/cloudevents+json" &&
               request.body.find("\"id\":\"" + IdOf(request)) != std::string::npos;
      case WebhookSettings::Format::kBatch: return type == "application/cloudevents-batch+json";
      case WebhookSettings::Format::kJsonLines: return type == "application/x-ndjson";
    }
    return false;
  }
  // The Idempotency-Key without the quotes that belong to it.
  static std::string IdOf(const net::HttpRequest& request) {
    const std::string_view key = request.Header("idempotency-key");
    if (key.size() != 34 || key.front() != '"' || key.back() != '"') return "no key";
    return std::string(key.substr(1, 32));
  }

  void Take(const net::HttpRequest& request) {
    std::vector<std::string> events;
    if (format_ == WebhookSettings::Format::kStructured) {
      events.push_back(request.body);
    } else if (format_ == WebhookSettings::Format::kBatch) {
      events = Elements(request.body);
    } else {
      events = Lines(request.body);
    }
    received_.insert(received_.end(), events.begin(), events.end());
  }

  const WebhookSettings::Format format_;
  const int concurrency_;
  ContractDir dir_;
  const std::string secret_;
  std::mutex mutex_;
  std::vector<std::string> received_;  // guarded by mutex_, as all below but the server
  std::vector<net::HttpResponder> held_;
  std::string token_ = "right";
  size_t size_max_ = SIZE_MAX;
  int requests_ = 0;
  bool hang_ = false;
  bool flaky_ = false;
  std::unique_ptr<net::HttpServer> server_;
};

class NatsTarget : public ContractTarget {
 public:
  NatsTarget() : secret_(dir_.Write("token", "right\n")) {
    options_.token = "right";
    server_ = NatsServer::Start(options_);
    SPOOL_ASSERT(server_ != nullptr);
    server_->AddStream("EVENTS", {"spool.>"});
  }
  ~NatsTarget() override {
    if (server_->running()) server_->Continue();
  }
  std::unique_ptr<Sink> NewSink() override {
    NatsSettings nats;
    nats.url = server_->url();
    nats.token = Secret::FromFile(secret_);
    SinkSettings settings;
    settings.timeout = {Millis(2000), Millis(10000)};
    settings.of = nats;
    return MakeSink(settings).value();
  }
  std::vector<std::string> Received() override {
    std::vector<std::string> bodies;
    for (NatsStored& stored : server_->Read("EVENTS")) bodies.push_back(std::move(stored.body));
    return bodies;
  }
  void Down() override { server_->Kill(); }
  void Up() override { server_->Restart(); }
  void Hang() override { server_->Pause(); }
  void Unhang() override { server_->Continue(); }
  void RefuseCredentials() override {
    options_.token = "another";
    RestartWithOptions();
  }
  void AcceptCredentials() override {
    options_.token = "right";
    RestartWithOptions();
  }
  void LimitSize(size_t bytes) override {
    options_.max_payload = static_cast<int64_t>(bytes);
    RestartWithOptions();
  }

 private:
  void RestartWithOptions() {
    server_->SetOptions(options_);
    server_->Restart();
  }

  ContractDir dir_;
  const std::string secret_;
  NatsServerOptions options_;
  std::unique_ptr<NatsServer> server_;
};

}  // namespace

std::unique_ptr<ContractTarget> MakeContractTarget(const std::string& kind) {
  using Format = WebhookSettings::Format;
  if (kind == "null") return std::make_unique<NullTarget>();
  if (kind == "stdout") return std::make_unique<PipeTarget>();
  if (kind == "file") return std::make_unique<FileTarget>();
  if (kind == "webhook") return std::make_unique<WebhookTarget>(Format::kStructured, 1);
  if (kind == "webhook_parallel") return std::make_unique<WebhookTarget>(Format::kStructured, 4);
  if (kind == "webhook_batch") return std::make_unique<WebhookTarget>(Format::kBatch, 1);
  if (kind == "webhook_lines") return std::make_unique<WebhookTarget>(Format::kJsonLines, 1);
  if (kind == "kafka") return MakeKafkaTarget();
  SPOOL_ASSERT(kind == "nats");
  return std::make_unique<NatsTarget>();
}

}  // namespace spool::testing
