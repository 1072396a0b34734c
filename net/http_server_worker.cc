// Connections and the threads they live on. What the bytes mean is request_reader's business.
//
// One io_context per thread; a connection lives on one of them for good, so nothing of it is
// locked. Only three things cross threads: the accepted socket, the answers (a mailbox per worker,
// with one wake-up for a burst) and the counters.
#include "net/http_server_worker.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <thread>
#include <unordered_map>

#include "base/thread.h"
#include "net/channel.h"
#include "net/http_text.h"
#include "net/request_permits.h"
#include "net/request_reader.h"

namespace spool::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Steady = std::chrono::steady_clock;
using Socket = asio::basic_stream_socket<tcp, asio::io_context::executor_type>;

constexpr size_t kReadBufferBytes = 256 << 10;
constexpr size_t kKeptBufferBytes = 4 << 10;   // an idle connection keeps no more than this
constexpr size_t kCopiedBodyBytes = 16 << 10;  // up to here head and body go into one buffer
constexpr size_t kWriteQuantum = 1 << 20;      // how much a client must take per write timeout
constexpr int kStepsPerTurn = 16;              // then other connections get their turn
constexpr auto kTick = std::chrono::milliseconds(100);  // how late a time limit may strike
constexpr auto kLingerTime = std::chrono::seconds(2);
constexpr size_t kLingerBytes = size_t{64} << 20;
constexpr std::string_view kContinueText = "HTTP/1.1 100 Continue\r\n\r\n";

class Worker;

// One client's connection. All of it on its worker's thread.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Worker& worker, Socket socket, std::string peer, PeerCounts::Place place);

  void Run();
  // The answer to the request in hand.
  void Answer(HttpResponse response);
  bool Late(Steady::time_point now) const { return now >= deadline_; }
  // Its time limit is over.
  void TimeOut();
  // The server stops: leaves at once if no request has begun.
  void Quit();
  void Close();

 private:
  enum class Phase { kHandshake, kRead, kHandle, kWrite, kLinger, kClosed };

  bool Step();
  bool HandshakeStep();
  void BeginLinger();
  bool ReadStep();
  bool OnReader(RequestReader::State state);
  bool Dispatch();
  void Refuse(HttpResponse refusal);
  bool WriteStep();
  bool Written();
  bool LingerStep();
  void Wait(Io what);
  // Nobody waits for anything from this connection.
  bool Unused() const {
    return reader_.phase() == RequestReader::Phase::kIdle || reader_.discarding();
  }
  void SetDeadline(std::chrono::milliseconds from_now) { deadline_ = Steady::now() + from_now; }
  void NoDeadline() { deadline_ = Steady::time_point::max(); }

  Worker& worker_;
  ServerShared& shared_;
  Socket socket_;
  Channel channel_;  // over socket_
  const std::string peer_;
  const PeerCounts::Place place_;
  RequestReader reader_;
  RequestReader::Phase timed_phase_ = RequestReader::Phase::kHead;
  Phase phase_ = Phase::kRead;
  Steady::time_point deadline_ = Steady::time_point::max();
  Steady::time_point body_deadline_ = Steady::time_point::max();  // of the whole body
  uint64_t serial_ = 0;                                           // of the request with the handler
  SteadyTime dispatched_;                                         // when that got it
  std::string out_;                                               // head, and the body if short
  std::string out_body_;                                          // the body if long
  size_t written_ = 0;
  size_t paid_ = 0;  // of written_, when the time limit was last renewed
  size_t lingered_ = 0;
  bool close_after_ = false;
  bool readable_ = false;      // the socket may have bytes: worth a call
  Io wanted_ = Io::kWantRead;  // what reading waits for
  bool waiting_read_ = false;
  bool waiting_write_ = false;
  bool running_ = false;
};

// A thread with its io_context and its connections.
class Worker final : public ServerWorker, public std::enable_shared_from_this<Worker> {
 public:
  explicit Worker(std::shared_ptr<ServerShared> s) : shared(std::move(s)), timer_(loop) {
    read_buffer.resize(kReadBufferBytes);
  }

  asio::io_context& io() override { return loop; }
  void Start(const std::string& name) override {
    work_.emplace(loop.get_executor());
    thread_ = StartThread(name, [this](std::stop_token) {
      current = this;
      loop.run();
    });
  }
  void Cut() override {
    asio::post(loop, [this] {
      QuitAll(true);
      loop.stop();
    });
    if (thread_.joinable()) thread_.join();
  }

  void Adopt(int fd, bool v6, PeerCounts::Place place) override {
    // Held by the handler, so that it is closed if the loop ends before.
    asio::post(loop, [this, v6, held = OwnedFd(fd), place = std::move(place)]() mutable {
      Take(std::move(held), v6, std::move(place));
    });
  }
  void Forget(Connection* connection);
  void Quit() override {
    asio::post(loop, [this] { QuitAll(false); });
  }

  // Any thread: hands an answer to the connection that waits for it.
  void Deliver(uint64_t serial, HttpResponse response);
  uint64_t Await(Connection* connection) {
    waiting_.emplace(++serials_, connection);
    return serials_;
  }
  void NoLongerAwait(uint64_t serial) { waiting_.erase(serial); }
  const std::string& Date() { return date_.Now(); }

  static thread_local Worker* current;

  const std::shared_ptr<ServerShared> shared;
  asio::io_context loop{1};
  std::string read_buffer;   // lent to whichever connection is reading
  uint64_t dispatching = 0;  // the request whose handler is on the stack
  std::optional<HttpResponse> inline_answer;

 private:
  void Take(OwnedFd fd, bool v6, PeerCounts::Place place);
  void Drain();
  void QuitAll(bool cut);
  void Tick();

  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  asio::steady_timer timer_;
  bool ticking_ = false;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  std::unordered_map<uint64_t, Connection*> waiting_;  // by serial
  uint64_t serials_ = 0;
  DateClock date_;
  std::jthread thread_;

  std::mutex mail_mutex_;
  std::vector<std::pair<uint64_t, HttpResponse>> mail_;  // guarded by mail_mutex_
  bool drain_posted_ = false;                            // guarded by mail_mutex_
  std::vector<std::pair<uint64_t, HttpResponse>> draining_;
};

thread_local Worker* Worker::current = nullptr;

}  // namespace

class HttpResponder::State {
 public:
  State(std::shared_ptr<Worker> worker, uint64_t serial, BytePermit body, BytePermit head)
      : permits(worker->shared->budget, std::move(body), std::move(head)),
        worker_(std::move(worker)),
        serial_(serial) {}
  ~State() { Send(Problem(500, "internal", "The request was dropped without an answer.")); }

  void Send(HttpResponse response) {
    if (sent_.exchange(true)) return;
    permits.Release(0);
    worker_->Deliver(serial_, std::move(response));
  }

  RequestPermits permits;

 private:
  const std::shared_ptr<Worker> worker_;
  const uint64_t serial_;
  std::atomic<bool> sent_{false};
};

void HttpResponder::Send(HttpResponse response) const { state_->Send(std::move(response)); }
HttpResponder::Reserved HttpResponder::Reserve(size_t bytes) const {
  return state_->permits.Reserve(bytes);
}
void HttpResponder::ReleaseBody(size_t keep) const { state_->permits.Release(keep); }

namespace {

Connection::Connection(Worker& worker, Socket socket, std::string peer, PeerCounts::Place place)
    : worker_(worker),
      shared_(*worker.shared),
      socket_(std::move(socket)),
      channel_(socket_.native_handle(),
               shared_.tls ? shared_.tls->Accept(socket_.native_handle()) : nullptr),
      peer_(std::move(peer)),
      place_(std::move(place)),
      reader_(shared_.limits, shared_.budget) {
  // Neither the handshake nor the first request may take its time to begin.
  const bool tls = channel_.tls() != nullptr;
  if (tls) phase_ = Phase::kHandshake;
  reader_.Introduce(peer_, nullptr, shared_.hooks);
  SetDeadline(tls ? shared_.limits.handshake_timeout : shared_.limits.header_timeout);
}

// Does all that can be done without waiting. A handler that answers at once comes back in here
// through Answer, which is why it is a loop and not a recursion.
void Connection::Run() {
  if (running_) return;
  running_ = true;
  int steps = 0;
  while (Step()) {
    if (++steps < kStepsPerTurn) continue;
    asio::post(worker_.loop, [self = shared_from_this()] { self->Run(); });
    break;
  }
  running_ = false;
}

bool Connection::Step() {
  switch (phase_) {
    case Phase::kHandshake: return HandshakeStep();
    case Phase::kRead: return ReadStep();
    case Phase::kWrite: return WriteStep();
    case Phase::kLinger: return LingerStep();
    case Phase::kHandle:
    case Phase::kClosed: break;
  }
  return false;
}

bool Connection::HandshakeStep() {
  TlsSession& tls = *channel_.tls();
  const Io outcome = tls.Handshake();
  if (outcome == Io::kWantRead || outcome == Io::kWantWrite) {
    Wait(outcome);
    return false;
  }
  if (outcome == Io::kDone) {
    shared_.tls->CountHandshake();
    reader_.Introduce(peer_, tls.client(), shared_.hooks);
    phase_ = Phase::kRead;
    readable_ = true;
    SetDeadline(shared_.limits.header_timeout);
    return true;
  }
  shared_.tls->CountFault(tls.fault(), tls.fault_text(), peer_);
  if (tls.fault() == TlsFault::kPlainHttp) channel_.AskForTls();
  BeginLinger();  // so that the alert arrives
  return true;
}

bool Connection::ReadStep() {
  if (!readable_) {
    if (shared_.stopping && Unused()) {
      Close();
      return false;
    }
    Wait(wanted_);
    return false;
  }
  const size_t bytes = std::min(reader_.ReadHint(), worker_.read_buffer.size());
  size_t n = 0;
  const Io outcome = channel_.Read(worker_.read_buffer.data(), bytes, &n);
  readable_ = channel_.MayHaveMore();
  wanted_ = outcome == Io::kWantWrite ? Io::kWantWrite : Io::kWantRead;
  if (outcome == Io::kDone) return OnReader(reader_.Feed({worker_.read_buffer.data(), n}));
  if (outcome == Io::kWantRead || outcome == Io::kWantWrite) return true;
  Close();
  return false;
}

bool Connection::OnReader(RequestReader::State state) {
  if (state == RequestReader::State::kReady) return Dispatch();
  if (state == RequestReader::State::kRefused) {
    Refuse(reader_.TakeRefusal());
    return true;
  }
  if (state == RequestReader::State::kContinue) {
    size_t sent = 0;
    channel_.Write(kContinueText, {}, &sent);
    if (sent != kContinueText.size()) {
      Close();  // a client that leaves no room for 25 bytes is not reading
      return false;
    }
  }
  const auto phase = reader_.phase();
  if (phase != timed_phase_) {
    const auto was = std::exchange(timed_phase_, phase);
    if (phase == RequestReader::Phase::kHead) SetDeadline(shared_.limits.header_timeout);
    // A refused body has been read over: from here the connection is an idle one.
    if (phase == RequestReader::Phase::kIdle && was == RequestReader::Phase::kBody) {
      SetDeadline(shared_.limits.idle_timeout);
    }
    if (phase == RequestReader::Phase::kBody) {
      body_deadline_ = Steady::now() + shared_.limits.body_timeout;
    }
  }
  // Each byte of a body earns some time for the next one, within the time of the whole.
  if (phase == RequestReader::Phase::kBody) {
    deadline_ = std::min(body_deadline_, Steady::now() + shared_.limits.body_idle_timeout);
  }
  return true;
}

bool Connection::Dispatch() {
  BytePermit permit = reader_.TakePermit();
  BytePermit head = reader_.TakeHeadPermit();
  HttpRequest request = reader_.TakeRequest();
  phase_ = Phase::kHandle;
  NoDeadline();  // how long an answer takes is the handler's affair
  shared_.requests.fetch_add(1, std::memory_order_relaxed);
  serial_ = worker_.Await(this);
  dispatched_ = RealClock().Steady();
  auto state = std::make_shared<HttpResponder::State>(worker_.shared_from_this(), serial_,
                                                      std::move(permit), std::move(head));
  worker_.dispatching = serial_;
  shared_.handler(std::move(request), HttpResponder(std::move(state)));
  worker_.dispatching = 0;
  if (!worker_.inline_answer) return false;
  Answer(*std::exchange(worker_.inline_answer, std::nullopt));
  return true;
}

void Connection::Refuse(HttpResponse refusal) {
  const bool denied = refusal.status == 401 || refusal.status == 403;
  (refusal.status == 503 ? shared_.shed
   : denied              ? shared_.denied
                         : shared_.malformed)
      .fetch_add(1, std::memory_order_relaxed);
  Answer(std::move(refusal));
}

void Connection::Answer(HttpResponse response) {
  if (response.status < 200 || response.status > 999) {
    response = Problem(500, "internal", "The answer had no valid status.");
  }
  const bool handled = serial_ != 0;
  worker_.NoLongerAwait(std::exchange(serial_, 0));
  if (!response.probe) shared_.CountAnswer(response.status, handled ? dispatched_ : SteadyTime());
  close_after_ = response.close || !reader_.keep_alive() || shared_.stopping;
  const Framing framing{reader_.head_only(), close_after_, reader_.http_1_0()};
  out_.clear();
  out_body_.clear();
  written_ = paid_ = 0;
  AppendHead(response, framing, worker_.Date(), &out_);
  if (!framing.head_only && StatusHasBody(response.status)) {
    if (response.body.size() <= kCopiedBodyBytes)
      out_ += response.body;
    else
      out_body_ = std::move(response.body);
  }
  phase_ = Phase::kWrite;
  SetDeadline(shared_.limits.write_timeout);
}

bool Connection::WriteStep() {
  while (written_ < out_.size() + out_body_.size()) {
    const size_t from_head = std::min(written_, out_.size());
    size_t n = 0;
    const Io outcome = channel_.Write(std::string_view(out_).substr(from_head),
                                      std::string_view(out_body_).substr(written_ - from_head), &n);
    if (outcome == Io::kWantRead || outcome == Io::kWantWrite) {
      Wait(outcome);
      return false;
    }
    if (outcome != Io::kDone) {
      Close();
      return false;
    }
    written_ += n;
    if (written_ - paid_ >= kWriteQuantum) {  // a slow reader of a long answer may go on
      paid_ = written_;
      SetDeadline(shared_.limits.write_timeout);
    }
  }
  return Written();
}

// The answer is with the kernel: on to the next request, or the end.
bool Connection::Written() {
  std::string().swap(out_body_);
  if (out_.capacity() > kKeptBufferBytes) std::string().swap(out_);
  if (close_after_) {
    BeginLinger();
    return true;
  }
  reader_.Next();
  phase_ = Phase::kRead;
  timed_phase_ = RequestReader::Phase::kIdle;
  SetDeadline(shared_.limits.idle_timeout);
  if (!reader_.has_buffered()) return true;
  return OnReader(reader_.Feed({}));
}

// Closing over unread bytes would reset the connection and could take the answer with it: say that
// nothing follows, and read what still comes for a moment.
void Connection::BeginLinger() {
  channel_.EndWriting();
  phase_ = Phase::kLinger;
  readable_ = true;
  SetDeadline(kLingerTime);
}

bool Connection::LingerStep() {
  if (!readable_) {
    // All that was sent has been read. Only a client in the midst of a refused body is waited for.
    if (reader_.whole() && lingered_ == 0) {
      Close();
    } else {
      Wait(Io::kWantRead);
    }
    return false;
  }
  size_t n = 0;
  const Io outcome = channel_.Drain(worker_.read_buffer.data(), kReadBufferBytes, &n);
  readable_ = channel_.MayHaveMore();
  lingered_ += n;
  const bool going = outcome == Io::kDone || outcome == Io::kWantRead;
  if (going && lingered_ <= kLingerBytes) return true;
  Close();
  return false;
}

void Connection::Wait(Io what) {
  const bool read = what == Io::kWantRead;
  bool* const waiting = read ? &waiting_read_ : &waiting_write_;
  if (*waiting) return;
  *waiting = true;
  const auto side = read ? Socket::wait_read : Socket::wait_write;
  socket_.async_wait(side, [self = shared_from_this(), waiting](const error_code& ec) {
    *waiting = false;
    if (ec || self->phase_ == Phase::kClosed) return;
    self->readable_ = true;
    self->Run();
  });
}

void Connection::TimeOut() {
  if (phase_ == Phase::kHandshake) shared_.tls->CountTimeout();
  if (phase_ != Phase::kRead || Unused()) {
    Close();
    return;
  }
  reader_.Abandon(Problem(408, "timeout", "The request did not arrive in time."));
  Refuse(reader_.TakeRefusal());
  Run();
}

void Connection::Quit() {
  if (phase_ == Phase::kHandshake) return Close();
  if (phase_ != Phase::kRead || !Unused()) return;
  readable_ = true;  // a request that lies in the socket has begun; ReadStep closes if none does
  Run();
}

void Connection::Close() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  NoDeadline();
  if (serial_ != 0) worker_.NoLongerAwait(serial_);
  // A client that keeps connections need not guess whether it was cut.
  if (channel_.tls() != nullptr) channel_.tls()->End();
  error_code ignored;
  socket_.close(ignored);
  worker_.Forget(this);
}

void Worker::Take(OwnedFd fd, bool v6, PeerCounts::Place place) {
  error_code ec;
  Socket socket(loop);
  socket.assign(v6 ? tcp::v6() : tcp::v4(), fd.get(), ec);
  if (ec) {
    shared->Closed();
    return;
  }
  fd.Release();
  const auto remote = socket.remote_endpoint(ec);
  std::string peer;
  if (!ec) {
    peer = EndpointText(remote.address().to_string(), remote.port());
    socket.set_option(tcp::no_delay(true), ec);
    socket.non_blocking(true, ec);
  }
  if (ec || shared->stopping) {
    // Gone already, by a reset.
    if (ec && shared->tls) shared->tls->CountFault(TlsFault::kLeft, {}, peer);
    socket.close(ec);
    shared->Closed();
    return;
  }
  auto connection =
      std::make_shared<Connection>(*this, std::move(socket), std::move(peer), std::move(place));
  connections_.emplace(connection.get(), connection);
  if (!ticking_) Tick();
  connection->Run();
}

void Worker::Forget(Connection* connection) {
  // Not now: the caller is one of its methods.
  auto found = connections_.extract(connection);
  if (found) asio::post(loop, [last = std::move(found.mapped())] {});
  shared->Closed();
}

void Worker::Deliver(uint64_t serial, HttpResponse response) {
  if (current == this && dispatching == serial) {
    inline_answer = std::move(response);
    return;
  }
  {
    std::lock_guard lock(mail_mutex_);
    mail_.emplace_back(serial, std::move(response));
    if (drain_posted_) return;
    drain_posted_ = true;
  }
  asio::post(loop, [this] { Drain(); });
}

void Worker::Drain() {
  {
    std::lock_guard lock(mail_mutex_);
    draining_.swap(mail_);
    drain_posted_ = false;
  }
  for (auto& [serial, response] : draining_) {
    const auto found = waiting_.find(serial);
    if (found == waiting_.end()) continue;  // the client left meanwhile
    Connection* const connection = found->second;
    connection->Answer(std::move(response));
    connection->Run();
  }
  draining_.clear();
}

void Worker::QuitAll(bool cut) {
  std::vector<std::shared_ptr<Connection>> all;
  for (const auto& [_, connection] : connections_) all.push_back(connection);
  for (const auto& connection : all) cut ? connection->Close() : connection->Quit();
  if (cut) timer_.cancel();
}

void Worker::Tick() {
  ticking_ = !connections_.empty();
  if (!ticking_) return;
  timer_.expires_after(kTick);
  timer_.async_wait([this](const error_code& ec) {
    if (ec) return;
    const auto now = Steady::now();
    std::vector<std::shared_ptr<Connection>> late;
    for (const auto& [connection, owner] : connections_) {
      if (connection->Late(now)) late.push_back(owner);
    }
    for (const auto& connection : late) connection->TimeOut();
    Tick();
  });
}

}  // namespace

std::shared_ptr<ServerWorker> ServerWorker::Create(std::shared_ptr<ServerShared> shared) {
  return std::make_shared<Worker>(std::move(shared));
}

}  // namespace spool::net
