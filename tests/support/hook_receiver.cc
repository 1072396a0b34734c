#include "tests/support/hook_receiver.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/assert.h"
#include "base/hash.h"

namespace spool::testing {

using nlohmann::json;
using test::RawSocket;
using Kind = HookScript::Kind;

namespace {

constexpr auto kForever = std::chrono::hours(1);

// What a refusal means that no other try will change.
bool ForGood(int status) { return status == 400 || status == 413 || status == 422; }

HookReceiver::Arrival Read(const json& event) {
  HookReceiver::Arrival arrival;
  arrival.at = std::chrono::steady_clock::now();
  arrival.number = UINT64_MAX;
  if (!event.is_object() || !event.contains("data") || !event["data"].is_object()) return arrival;
  arrival.number = event["data"].value("n", UINT64_MAX);
  arrival.hash = DataHash(event["data"].dump());
  const auto sequence = event.find("sequence");
  if (sequence == event.end()) return arrival;
  arrival.sequence = sequence->is_string()
                         ? std::strtoull(sequence->get<std::string>().c_str(), nullptr, 10)
                         : sequence->get<uint64_t>();
  return arrival;
}

std::string Head(const HookScript& script, const std::string& length) {
  return "HTTP/1.1 " + std::to_string(script.status) + " As Told\r\nContent-Type: text/plain\r\n" +
         script.headers + "Content-Length: " + length + "\r\n\r\n";
}

}  // namespace

uint64_t DataHash(const std::string& data) { return FastHash64(data); }

HookReceiver::HookReceiver() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  SPOOL_ASSERT(bind(listener_, reinterpret_cast<sockaddr*>(&address), length) == 0);
  SPOOL_ASSERT(listen(listener_, 128) == 0);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

HookReceiver::~HookReceiver() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (RawSocket& socket : sockets_) socket.Cut();
  }
  shutdown(listener_, SHUT_RDWR);  // wakes accept
  acceptor_.join();
  std::unique_lock lock(mutex_);
  ended_.notify_all();
  ended_.wait(lock, [this] { return sockets_.empty(); });
  close(listener_);
}

void HookReceiver::Accept() {
  while (true) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      if (fd >= 0) close(fd);
      return;
    }
    if (fd < 0) continue;
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    const auto socket = sockets_.emplace(sockets_.end(), fd);
    std::thread([this, socket] {
      Serve(*socket);
      const std::lock_guard end(mutex_);
      sockets_.erase(socket);
      ended_.notify_all();
    }).detach();  // the destructor waits for it
  }
}

void HookReceiver::Serve(RawSocket& socket) {
  while (true) {
    const std::string request = socket.ReadRequest(kForever);
    if (request.empty()) return;
    if (!Reply(socket, std::string_view(request).substr(request.find("\r\n\r\n") + 4))) return;
  }
}

bool HookReceiver::Reply(RawSocket& socket, std::string_view body) {
  const json posted = json::parse(body, nullptr, false);
  std::vector<Arrival> events;
  if (posted.is_array()) {
    for (const json& event : posted) events.push_back(Read(event));
  } else {
    events.push_back(Read(posted));
  }
  HookScript script;
  {
    const std::lock_guard lock(mutex_);
    ++requests_;
    script = script_;
    if (body.size() > script.body_max) {
      script.status = 413;
    } else if (script.body_max != SIZE_MAX) {
      script.status = 200;
    }
    bool poisoned = script.poison == 0;
    for (const Arrival& event : events) poisoned |= !poisoned && event.number % script.poison == 0;
    if (!poisoned) script.status = 200;
    const bool whole = script.kind == Kind::kAnswer || script.kind == Kind::kContinuesThenAnswer ||
                       script.kind == Kind::kHugeBody;
    const bool yes = whole && script.status / 100 == 2;
    ++answers_[whole ? script.status : 0];
    if (whole && ForGood(script.status) && events.size() == 1) {
      refused_[events[0].number] = script.status;
    }
    if (yes || script.take) {  // remembered before it is confirmed
      for (const Arrival& event : events) {
        arrivals_.push_back(event);
        ++seen_[event.number];
      }
      if (!yes) unconfirmed_ += events.size();
    }
  }
  return SendEnding(socket, script);
}

bool HookReceiver::SendEnding(RawSocket& socket, const HookScript& script) {
  const std::string answer = Head(script, std::to_string(script.body.size())) + script.body;
  const auto flood = [&socket](const std::string& head, const std::string& more, size_t bytes) {
    bool sent = socket.Send(head);
    for (size_t done = 0; sent && done < bytes; done += more.size()) sent = socket.Send(more);
    return false;
  };
  std::string piece;
  switch (script.kind) {
    case Kind::kAnswer: return socket.Send(answer);
    case Kind::kSilence: socket.WaitClosed(kForever); return false;
    case Kind::kClose: return false;
    case Kind::kNotHttp: socket.Send("\x16\x03\x01 220 smtp.example.org ready\r\n"); return false;
    case Kind::kTruncatedBody: socket.Send(Head(script, "5000") + "not all"); return false;
    case Kind::kHugeBody:
      return flood(Head(script, "10000000000"), std::string(1 << 16, 'x'), 10'000'000'000);
    case Kind::kEndlessHeaders:
      for (int i = 0; i < 1000; ++i) piece += "X-More: and more\r\n";
      return flood("HTTP/1.1 200 OK\r\n", piece, SIZE_MAX / 2);
    case Kind::kHeadWithoutEnd:
      return flood("HTTP/1.1 200 OK\r\nX-Long: ", std::string(1 << 16, 'x'), SIZE_MAX / 2);
    case Kind::kContinueFlood:
      for (int i = 0; i < 1000; ++i) piece += "HTTP/1.1 100 Continue\r\n\r\n";
      return flood("", piece, SIZE_MAX / 2);
    case Kind::kContinuesThenAnswer:
      for (int i = 0; i < 20; ++i) piece += "HTTP/1.1 100 Continue\r\n\r\n";
      return socket.Send(piece + answer);
  }
  return false;
}

void HookReceiver::Set(HookScript script) {
  const std::lock_guard lock(mutex_);
  script_ = std::move(script);
}

std::vector<HookReceiver::Arrival> HookReceiver::arrivals() const {
  const std::lock_guard lock(mutex_);
  return arrivals_;
}
uint64_t HookReceiver::distinct() const {
  const std::lock_guard lock(mutex_);
  return seen_.size();
}
uint64_t HookReceiver::unconfirmed() const {
  const std::lock_guard lock(mutex_);
  return unconfirmed_;
}
uint64_t HookReceiver::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}
std::map<uint64_t, int> HookReceiver::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}
std::map<int, uint64_t> HookReceiver::answers() const {
  const std::lock_guard lock(mutex_);
  return answers_;
}

}  // namespace spool::testing
