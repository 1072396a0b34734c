#include "bench/posts.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "bench/load.h"

namespace spool::bench {
namespace {

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "bench: %s\n", what.c_str());
  std::exit(1);
}

std::string Post(const std::string& path, const std::string& body) {
  return "POST " + path + " HTTP/1.1\r\nHost: spool\r\nContent-Type: application/json\r\n" +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string Joined(const std::vector<std::string>& records) {
  std::string text;
  for (const std::string& record : records) {
    if (!text.empty()) text += ',';
    text += record;
  }
  return text;
}

// A connected socket, or -1.
int Connect(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) return fd;
  close(fd);
  return -1;
}

// The number behind `name`, which is followed by ": "; nothing if the head does not have it.
std::optional<size_t> NumberOf(std::string_view head, std::string_view name) {
  const size_t at = head.find(name);
  if (at == head.npos) return std::nullopt;
  return std::strtoull(head.data() + at + name.size(), nullptr, 10);
}

}  // namespace

std::string EventsRequest(const std::vector<std::string>& records) {
  return Post("/v1/events", "[" + Joined(records) + "]");
}

std::string AuditRequest(const std::vector<std::string>& records) {
  return Post("/audit", R"({"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},)"
                        R"("items":[)" +
                            Joined(records) + "]}");
}

std::vector<std::string> MakeAudits(size_t count) {
  constexpr const char* kVerbs[] = {"get", "list", "watch", "update", "patch", "create", "delete"};
  constexpr const char* kResources[] = {"pods",       "deployments", "endpoints",  "leases",
                                        "configmaps", "events",      "replicasets"};
  EventMaker maker(11);
  std::vector<std::string> audits;
  audits.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const K8sEvent event = maker.Next();
    const std::string verb = kVerbs[i % 7];
    const std::string resource = kResources[i / 7 % 7];
    const std::string micros = std::to_string(1'000'000 + i % 900'000).substr(1);
    audits.push_back(
        R"({"level":"Metadata","auditID":")" + event.uid +
        R"(","stage":"ResponseComplete","requestURI":"/apis/apps/v1/namespaces/)" +
        event.namespace_ + "/" + resource + "/" + event.name +
        R"(?fieldManager=kube-controller-manager&timeout=30s","verb":")" + verb +
        R"(","user":{"username":"system:serviceaccount:)" + event.namespace_ +
        R"(:deployer","uid":"5b7c1f6e-3d0f-4a55-9f2c-0c4f4b0f9a11","groups":[)"
        R"("system:serviceaccounts","system:serviceaccounts:)" +
        event.namespace_ +
        R"(","system:authenticated"],"extra":{"authentication.kubernetes.io/pod-name":[")" +
        event.name +
        R"("],"authentication.kubernetes.io/node-name":["worker-7"]}},)"
        R"("sourceIPs":["10.1.7.20"],"userAgent":"kube-controller-manager/v1.31.2 )"
        R"((linux/amd64) kubernetes/5864a46/system:serviceaccount","objectRef":{"resource":")" +
        resource + R"(","namespace":")" + event.namespace_ + R"(","name":")" + event.name +
        R"(","uid":"d5cd8257-e28a-4e64-8b29-6358309d7196","apiGroup":"apps","apiVersion":"v1",)"
        R"("resourceVersion":"17003001"},"responseStatus":{"metadata":{},"code":200},)"
        R"("requestReceivedTimestamp":"2026-11-20T06:11:14.)" +
        micros + R"(Z","stageTimestamp":"2026-11-20T06:11:15.)" + micros +
        R"(Z","annotations":{"authorization.k8s.io/decision":"allow",)"
        R"("authorization.k8s.io/reason":"RBAC: allowed by RoleBinding \"deployers/)" +
        event.namespace_ + R"(\" of Role \"deployer\" to ServiceAccount"}})");
  }
  return audits;
}

Connection::Connection(int port) : fd_(Connect(port)) {
  if (fd_ < 0) Die("nobody listens on port " + std::to_string(port));
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
}

bool Connection::Listens(int port) {
  const int fd = Connect(port);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

Connection::~Connection() { close(fd_); }

void Connection::Begin(const std::string& request) {
  if (left_ > 0) Die("a request was answered before it was read");
  next_ = request.data();
  left_ = request.size();
  in_.clear();
}

std::optional<Connection::Answer> Connection::Continue() {
  while (left_ > 0) {
    const ssize_t n = send(fd_, next_, left_, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (n < 0) Die(std::string("a connection ended: ") + strerror(errno));
    next_ += n;
    left_ -= static_cast<size_t>(n);
  }
  char bytes[4096];
  const ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (n <= 0) Die("a connection ended");
  in_.append(bytes, static_cast<size_t>(n));
  const size_t end = in_.find("\r\n\r\n");
  if (end == in_.npos) return std::nullopt;
  const std::string_view head = std::string_view(in_).substr(0, end + 4);
  if (in_.size() < end + 4 + NumberOf(head, "\r\nContent-Length: ").value_or(0)) {
    return std::nullopt;
  }
  return Answer{static_cast<int>(NumberOf(head, "HTTP/1.1 ").value_or(0)),
                static_cast<int>(NumberOf(head, "\r\nRetry-After: ").value_or(0))};
}

Connection::Answer Connection::Send(const std::string& request) {
  Begin(request);
  for (;;) {
    if (const auto answer = Continue()) return *answer;
    pollfd wait{fd_, static_cast<short>(POLLIN | (sending() ? POLLOUT : 0)), 0};
    poll(&wait, 1, -1);
  }
}

double PostAll(int port, const std::vector<std::string>& requests, size_t connections) {
  std::vector<std::unique_ptr<Connection>> open;
  std::vector<pollfd> waits;
  for (size_t i = 0; i < connections; ++i) {
    open.push_back(std::make_unique<Connection>(port));
    waits.push_back({open[i]->descriptor(), POLLIN, 0});
  }
  size_t next = 0, answered = 0;
  const auto start = std::chrono::steady_clock::now();
  const auto begin = [&](size_t i) {
    if (next == requests.size()) {
      waits[i].fd = -1;
      return;
    }
    open[i]->Begin(requests[next++]);
    waits[i].events = POLLIN | POLLOUT;
  };
  for (size_t i = 0; i < connections; ++i) begin(i);
  while (answered < requests.size()) {
    poll(waits.data(), waits.size(), -1);
    for (size_t i = 0; i < connections; ++i) {
      if (waits[i].fd < 0 || waits[i].revents == 0) continue;
      const auto answer = open[i]->Continue();
      waits[i].events = static_cast<short>(POLLIN | (open[i]->sending() ? POLLOUT : 0));
      if (!answer) continue;
      if (answer->status != 200) Die("answered " + std::to_string(answer->status));
      ++answered;
      begin(i);
    }
  }
  return Since(start);
}

}  // namespace spool::bench
