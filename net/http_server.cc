// The server as a whole: listening, handing connections out, stopping. The connections themselves
// are in http_server_worker.cc.
#include "net/http_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <optional>

#include "base/log.h"
#include "net/http_server_worker.h"
#include "net/http_text.h"

namespace spool::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Socket = asio::basic_stream_socket<tcp, asio::io_context::executor_type>;

constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr auto kTlsFilesLook = std::chrono::seconds(1);

class Server final : public HttpServer {
 public:
  Server(HttpServerOptions options, HttpHandler handler, std::unique_ptr<TlsContext> tls)
      : options_(std::move(options)),
        shared_(std::make_shared<ServerShared>(options_.limits, std::move(handler), options_.budget,
                                               options_.hooks, std::move(tls))) {
    for (int i = 0; i < std::max(1, options_.threads); ++i) {
      workers_.push_back(ServerWorker::Create(shared_));
    }
    if (const size_t most = options_.limits.connections_per_peer; most > 0) {
      peers_ = std::make_shared<PeerCounts>(most);
    }
    acceptor_.emplace(workers_[0]->io());
    pause_.emplace(workers_[0]->io());
    look_.emplace(workers_[0]->io());
  }
  ~Server() override { Stop(SteadyTime::min()); }

  Status Listen(const tcp::endpoint& endpoint);
  int port() const override { return port_; }
  std::string address() const override { return address_; }
  HttpServerStats stats() const override;
  std::optional<TlsStatus> tls() const override {
    return shared_->tls ? std::optional(shared_->tls->status()) : std::nullopt;
  }
  void Stop(SteadyTime deadline) override;

 private:
  void Accept();
  void OnAccept(const error_code& ec, size_t worker, Socket socket);
  void FollowTlsFiles();
  bool Admit(size_t worker, Socket* socket);

  const HttpServerOptions options_;
  const std::shared_ptr<ServerShared> shared_;
  std::shared_ptr<PeerCounts> peers_;  // null: no limit
  std::vector<std::shared_ptr<ServerWorker>> workers_;
  std::optional<tcp::acceptor> acceptor_;    // on the first worker's thread
  std::optional<asio::steady_timer> pause_;  // on the first worker's thread
  std::optional<asio::steady_timer> look_;   // on the first worker's thread
  size_t next_worker_ = 0;                   // on the first worker's thread
  int port_ = 0;
  bool v6_ = false;
  std::string address_;
  std::mutex stop_mutex_;
  bool stopped_ = false;
};

Status Server::Listen(const tcp::endpoint& endpoint) {
  error_code ec;
  const auto failed = [&](const char* what) {
    return Fail(ec == asio::error::address_in_use ? Code::kConflict : Code::kUnavailable,
                std::string("cannot ") + what + " " + options_.address + ": " + ec.message());
  };
  acceptor_->open(endpoint.protocol(), ec);
  if (!ec) acceptor_->set_option(tcp::acceptor::reuse_address(true), ec);
  if (ec) return failed("open a socket for");
  acceptor_->bind(endpoint, ec);
  if (ec) return failed("bind to");
  acceptor_->listen(tcp::acceptor::max_listen_connections, ec);
  if (!ec) acceptor_->non_blocking(true, ec);
  if (ec) return failed("listen on");
  const auto local = acceptor_->local_endpoint(ec);
  if (ec) return failed("read the port of");
  port_ = local.port();
  v6_ = local.address().is_v6();
  address_ = EndpointText(local.address().to_string(), port_);
  for (size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->Start(options_.name.substr(0, 12) + "-" + std::to_string(i));
  }
  asio::post(workers_[0]->io(), [this] {
    Accept();
    if (shared_->tls) FollowTlsFiles();
  });
  return {};
}

// Reading new files takes a few milliseconds of one worker; a thread for it would wait for days.
void Server::FollowTlsFiles() {
  if (!acceptor_->is_open()) return;
  shared_->tls->Refresh(RealClock().Now(), RealClock().Steady());
  look_->expires_after(kTlsFilesLook);
  look_->async_wait([this](const error_code& cancelled) {
    if (!cancelled) FollowTlsFiles();
  });
}

void Server::Accept() {
  if (!acceptor_->is_open()) return;
  const size_t worker = next_worker_++ % workers_.size();
  // A socket of this thread's loop whoever gets the connection: an accept that is cut at the end
  // may lie in the loop until that goes, and another worker's may have gone by then.
  acceptor_->async_accept(workers_[0]->io(), [this, worker](const error_code& ec, Socket s) {
    OnAccept(ec, worker, std::move(s));
  });
}

void Server::OnAccept(const error_code& ec, size_t worker, Socket socket) {
  if (ec == asio::error::operation_aborted) return;
  if (!ec) {
    shared_->accepted.fetch_add(1, std::memory_order_relaxed);
    if (!Admit(worker, &socket)) {
      shared_->refused.fetch_add(1, std::memory_order_relaxed);
      error_code ignored;
      socket.close(ignored);
    }
    return Accept();
  }
  if (ec == asio::error::connection_aborted || ec == asio::error::interrupted) return Accept();
  // Out of descriptors or memory. The client waits in the backlog; asking again at once would
  // only burn the processor.
  static log::Limiter limiter;
  uint64_t held_back = 0;
  if (limiter.Allow(&held_back)) {
    log::Warn("New connections cannot be accepted now; trying again shortly.",
              {{"address", address_}, {"error", ec.message()}, {"repeated", held_back}});
  }
  pause_->expires_after(kAcceptPause);
  pause_->async_wait([this](const error_code& cancelled) {
    if (!cancelled) Accept();
  });
}

// False: there is no place for it.
bool Server::Admit(size_t worker, Socket* socket) {
  if (shared_->open >= options_.limits.connections) return false;  // only this thread adds to it
  PeerCounts::Place place;
  error_code lost;
  if (peers_) {
    const auto remote = socket->remote_endpoint(lost);
    if (lost) return true;  // gone already; it closes itself
    const auto address = remote.address();
    auto entered = peers_->Enter(
        (address.is_v4() ? asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4())
                         : address.to_v6())
            .to_bytes());
    if (!entered) {
      static log::Limiter limiter;
      if (uint64_t held_back = 0; limiter.Allow(&held_back)) {
        log::Warn("A client has as many connections as one may have; further ones are closed.",
                  {{"address", address_}, {"peer", address.to_string()}, {"repeated", held_back}});
      }
      return false;
    }
    place = std::move(*entered);
  }
  shared_->open.fetch_add(1);
  const int fd = socket->release(lost);
  if (lost)
    shared_->Closed();
  else
    workers_[worker]->Adopt(fd, v6_, std::move(place));
  return true;
}

HttpServerStats Server::stats() const {
  HttpServerStats stats;
  stats.connections = shared_->open;
  stats.accepted = shared_->accepted;
  stats.refused = shared_->refused;
  stats.requests = shared_->requests;
  stats.in_flight_bytes = shared_->budget->used();
  stats.shed = shared_->shed;
  stats.denied = shared_->denied;
  stats.malformed = shared_->malformed;
  for (size_t status = 0; status < shared_->answers.size(); ++status) {
    const uint64_t count = shared_->answers[status].load(std::memory_order_relaxed);
    if (count > 0) stats.answers.emplace_back(static_cast<int>(status), count);
  }
  stats.seconds = shared_->seconds.snapshot();
  return stats;
}

void Server::Stop(SteadyTime deadline) {
  std::lock_guard once(stop_mutex_);
  if (stopped_) return;
  stopped_ = true;
  shared_->stopping = true;
  asio::post(workers_[0]->io(), [this] {
    error_code ignored;
    acceptor_->close(ignored);
    pause_->cancel();
    look_->cancel();
  });
  for (const auto& worker : workers_) worker->Quit();
  {
    std::unique_lock lock(shared_->mutex);
    if (deadline > SteadyTime::min()) {
      shared_->drained.wait_until(lock, deadline, [&] { return shared_->open == 0; });
    }
  }
  for (const auto& worker : workers_) worker->Cut();
  acceptor_.reset();
  pause_.reset();
  look_.reset();
}

// "127.0.0.1:8080" and "[::1]:8080".
std::optional<tcp::endpoint> ParseAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  uint16_t port = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) return std::nullopt;
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  error_code ec;
  const auto address = asio::ip::make_address(std::string(host), ec);
  if (ec || address.is_v6() != bracketed) return std::nullopt;
  return tcp::endpoint(address, port);
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Start(HttpServerOptions options,
                                                      HttpHandler handler) {
  const auto endpoint = ParseAddress(options.address);
  if (!endpoint) {
    return Fail(Code::kInvalid, "the address \"" + options.address +
                                    "\" is not IP:PORT, such as 127.0.0.1:8080 or [::1]:8080");
  }
  std::unique_ptr<TlsContext> tls;
  if (options.tls) {
    auto loaded = TlsContext::Load(options.address, *options.tls);
    if (!loaded) return tl::unexpected(loaded.error());
    tls = std::move(*loaded);
  }
  try {  // Asio throws when it cannot make its descriptors
    auto server = std::make_unique<Server>(std::move(options), std::move(handler), std::move(tls));
    if (const Status status = server->Listen(*endpoint); !status)
      return tl::unexpected(status.error());
    return server;
  } catch (const std::exception& e) {
    return Fail(Code::kUnavailable, std::string("cannot start the HTTP server: ") + e.what());
  }
}

}  // namespace spool::net
