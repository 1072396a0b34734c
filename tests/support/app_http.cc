#include "tests/support/app_http.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/log.h"

namespace spool::testing {

nlohmann::json HttpReply::Json() const { return nlohmann::json::parse(body, nullptr, false); }

std::string HttpReply::Code() const {
  if (content_type != "application/problem+json") return "";
  const nlohmann::json problem = Json();
  if (!problem.is_object() || problem.value("status", 0) != status) return "";
  if (problem.value("title", "").empty() || problem.value("detail", "").empty()) return "";
  return problem.value("code", "");
}

HttpReply Call(const std::string& method, const std::string& address, const std::string& path,
               const std::string& body, const HttpHeaders& headers) {
  net::HttpClientOptions options;
  options.request_timeout = std::chrono::seconds(40);
  options.answer_bytes = size_t{64} << 20;
  const auto client = net::HttpClient::Create(options);
  net::HttpCall call;
  call.method = method;
  call.url = "http://" + address + path;
  call.headers = headers;
  call.body = body;
  net::HttpAnswer answer = client->Perform(call);
  HttpReply reply;
  if (answer.error) {
    reply.error = answer.error->message;
    return reply;
  }
  reply.status = answer.status;
  reply.content_type = answer.content_type;
  reply.body = std::move(answer.body);
  reply.retry_after = answer.retry_after.has_value();
  return reply;
}

bool WaitUntil(const std::function<bool()>& done, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  std::mutex mutex;
  std::condition_variable tick;
  std::unique_lock lock(mutex);
  while (!done()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    tick.wait_for(lock, std::chrono::milliseconds(10));
  }
  return true;
}

AppDir::AppDir() {
  const char* base = std::getenv("TMPDIR");
  std::string pattern = std::string(base == nullptr ? "/tmp" : base) + "/spool-app-XXXXXX";
  const char* made = mkdtemp(pattern.data());
  EXPECT_NE(made, nullptr);
  if (made != nullptr) path_ = made;
}

AppDir::~AppDir() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

Receiver::Receiver() {
  net::HttpServerOptions options;
  options.name = "receiver";
  options.address = "127.0.0.1:0";
  options.threads = 1;
  auto server = net::HttpServer::Start(
      options, [this](net::HttpRequest&& request, net::HttpResponder responder) {
        const std::lock_guard lock(mutex_);
        ++requests_;
        if (hang_) {
          held_.push_back(std::move(responder));
          return;
        }
        net::HttpResponse response;
        response.status = status_;
        if (status_ < 300) {
          bodies_.push_back(std::move(request.body));
        } else {
          response.content_type = "text/plain";
          response.body = "refused by the test";
        }
        responder.Send(std::move(response));
      });
  EXPECT_TRUE(server.has_value());
  if (server) server_ = std::move(*server);
}

Receiver::~Receiver() {
  Hang(false);
  server_->Stop(RealClock().Steady());
}

std::string Receiver::url() const { return "http://" + server_->address() + "/hook"; }

void Receiver::Answer(int status) {
  const std::lock_guard lock(mutex_);
  status_ = status;
}

void Receiver::Hang(bool hang) {
  std::vector<net::HttpResponder> held;
  {
    const std::lock_guard lock(mutex_);
    hang_ = hang;
    if (!hang) held.swap(held_);
  }
  for (const net::HttpResponder& responder : held)
    responder.Send({.status = 503, .content_type = {}, .body = {}, .headers = {}});
}

size_t Receiver::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::vector<std::string> Receiver::bodies() const {
  const std::lock_guard lock(mutex_);
  return bodies_;
}

Config TestConfig(const std::string& dir) {
  Config config;
  config.data_dir = dir + "/data";
  config.journal.dir = config.data_dir;
  config.journal.streams = DefaultStreams();
  config.journal.disk_reserve_bytes = 0;
  config.journal.reserve_file_bytes = 0;
  config.admin.address = "127.0.0.1:0";
  HttpSourceSettings web;
  web.name = "web";
  web.address = "127.0.0.1:0";
  config.http_sources.push_back(web);
  return config;
}

TargetConfig FileTarget(const std::string& name, const std::string& path) {
  TargetConfig target;
  target.settings.name = name;
  target.settings.type = "file";
  target.settings.sink.target = name;
  target.settings.sink.of = FileSettings{.path = path};
  target.settings.retry.first = std::chrono::milliseconds(20);
  target.settings.retry.max = std::chrono::milliseconds(200);
  target.start = TargetConfig::Start::kBeginning;
  return target;
}

TargetConfig WebhookTarget(const std::string& name, const std::string& url) {
  TargetConfig target = FileTarget(name, "");
  target.settings.type = "webhook";
  WebhookSettings webhook;
  webhook.url = url;
  target.settings.sink.of = webhook;
  return target;
}

RunningService::RunningService(Config config, ConfigLoader load) {
  auto service = Service::Start(
      std::move(config),
      [](const Error& error) { ADD_FAILURE() << "a storage error: " << error.message; },
      std::move(load));
  EXPECT_TRUE(service.has_value()) << service.error().message;
  if (service) service_ = std::move(*service);
}

RunningService::~RunningService() { Stop(); }

void RunningService::Stop() {
  if (service_) service_->Stop(RealClock().Steady() + std::chrono::seconds(10));
}

std::string RunningService::admin() const { return service_->admin_address(); }
std::string RunningService::ingest() const { return service_->ingest_addresses().at(0); }

HttpReply RunningService::PostEvents(int count, int first) const {
  std::string body;
  for (int i = first; i < first + count; ++i) {
    body += "{\"n\":" + std::to_string(i) + ",\"text\":\"an event of the test\"}\n";
  }
  return Call("POST", ingest(), "/v1/events", body, {{"Content-Type", "application/x-ndjson"}});
}

nlohmann::json RunningService::Status() const { return Get("/api/v1/status").Json(); }

nlohmann::json RunningService::Target(const std::string& name) const {
  return Get("/api/v1/targets/" + name).Json();
}

bool RunningService::WaitSettled() const {
  return WaitUntil([&] {
    const nlohmann::json status = Status();
    if (!status.value("accounted", false)) return false;
    for (const auto& target : status["targets"]) {
      if (target["pending"] != 0) return false;
    }
    return true;
  });
}

EventPage ParseEvents(const HttpReply& reply) {
  EventPage page;
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.content_type, "application/jsonl");
  std::istringstream lines(reply.body);
  std::string line;
  while (std::getline(lines, line)) {
    nlohmann::json json = nlohmann::json::parse(line, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << line;
    EXPECT_TRUE(page.scan.is_null()) << "a line follows the last";
    if (json.contains("scan")) {
      page.scan = json["scan"];
    } else {
      page.events.push_back(std::move(json));
    }
  }
  EXPECT_FALSE(page.scan.is_null());
  return page;
}

size_t CountLines(const std::string& path) {
  std::ifstream in(path);
  size_t count = 0;
  std::string line;
  while (std::getline(in, line)) ++count;
  return count;
}

}  // namespace spool::testing
