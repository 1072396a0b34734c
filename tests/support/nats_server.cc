#include "tests/support/nats_server.h"

#include <gtest/gtest.h>
#include <nats/nats.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/free_port.h"

namespace spool::testing {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kReadyWithin = std::chrono::seconds(20);

std::string MakeDir() {
  const char* tmp = std::getenv("TMPDIR");
  std::string path = std::string(tmp != nullptr && *tmp != '\0' ? tmp : "/tmp") + "/nats-XXXXXX";
  return mkdtemp(path.data()) != nullptr ? path : std::string();
}

// Waits for the process to end, at most so long. True if it ended (and was reaped).
bool WaitForEnd(pid_t pid, int millis) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  pollfd ended{fd, POLLIN, 0};
  const bool gone = fd >= 0 && poll(&ended, 1, millis) > 0;
  if (fd >= 0) close(fd);
  if (gone) waitpid(pid, nullptr, 0);
  return gone;
}

// A connection with its JetStream context, for administration.
class Admin {
 public:
  Admin(const std::string& url, const std::string& token) {
    natsOptions* options = nullptr;
    status_ = natsOptions_Create(&options);
    if (status_ == NATS_OK) status_ = natsOptions_SetURL(options, url.c_str());
    if (status_ == NATS_OK && !token.empty()) {
      status_ = natsOptions_SetToken(options, token.c_str());
    }
    if (status_ == NATS_OK) status_ = natsOptions_SetAllowReconnect(options, false);
    if (status_ == NATS_OK) status_ = natsOptions_SetTimeout(options, 2000);
    if (status_ == NATS_OK) status_ = natsConnection_Connect(&connection_, options);
    natsOptions_Destroy(options);
    if (status_ == NATS_OK) status_ = natsConnection_JetStream(&js_, connection_, nullptr);
  }
  ~Admin() {
    jsCtx_Destroy(js_);
    natsConnection_Destroy(connection_);
    nats_ReleaseThreadMemory();
  }
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;
  bool ok() const { return status_ == NATS_OK; }
  jsCtx* js() const { return js_; }

 private:
  natsConnection* connection_ = nullptr;
  jsCtx* js_ = nullptr;
  natsStatus status_ = NATS_OK;
};

std::string LastError() {
  const char* said = nats_GetLastError(nullptr);
  return said != nullptr ? said : "";
}

}  // namespace

std::unique_ptr<NatsServer> NatsServer::Start(NatsServerOptions options) {
  std::unique_ptr<NatsServer> server(new NatsServer);
  server->options_ = std::move(options);
  server->dir_ = MakeDir();
  // Another process may take the port in between.
  for (int attempt = 0; attempt < 5; ++attempt) {
    server->port_ = FreePort();
    if (server->Spawn() && server->AwaitReady()) return server;
    server->Kill();
  }
  std::ifstream log(server->dir_ + "/log");
  std::ostringstream said;
  said << log.rdbuf();
  ADD_FAILURE() << "nats-server did not start: " << said.str();
  return nullptr;
}

NatsServer::~NatsServer() {
  Kill();
  if (!dir_.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }
}

std::string NatsServer::url() const { return "nats://127.0.0.1:" + std::to_string(port_); }

bool NatsServer::Spawn() {
  const std::string config = dir_ + "/nats.conf";
  {
    std::ofstream out(config);
    out << "listen: 127.0.0.1:" << port_ << "\n";
    if (options_.jetstream) out << "jetstream { store_dir: \"" << dir_ << "/store\" }\n";
    if (!options_.token.empty()) out << "authorization { token: \"" << options_.token << "\" }\n";
    if (options_.max_payload > 0) out << "max_payload: " << options_.max_payload << "\n";
    out << options_.extra << "\n";
  }
  const std::string log = dir_ + "/log";
  const char* arguments[] = {"nats-server", "-c", config.c_str(), "-l", log.c_str(), nullptr};
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    execvp("nats-server", const_cast<char**>(arguments));
    execv("/usr/sbin/nats-server", const_cast<char**>(arguments));
    _exit(127);
  }
  pid_ = child;
  return child > 0;
}

bool NatsServer::AwaitReady() {
  const auto deadline = Clock::now() + kReadyWithin;
  while (Clock::now() < deadline) {
    {
      Admin admin(url(), options_.token);
      jsAccountInfo* info = nullptr;
      if (admin.ok() && !options_.jetstream) return true;
      if (admin.ok() && js_GetAccountInfo(&info, admin.js(), nullptr, nullptr) == NATS_OK) {
        jsAccountInfo_Destroy(info);
        return true;
      }
    }
    if (WaitForEnd(pid_, 20)) {
      pid_ = -1;
      return false;
    }
  }
  return false;
}

void NatsServer::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void NatsServer::Terminate() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  if (!WaitForEnd(pid_, 10000)) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_ = -1;
}

bool NatsServer::Restart() {
  Kill();
  const bool up = Spawn() && AwaitReady();
  if (!up) ADD_FAILURE() << "nats-server did not come up again";
  return up;
}

void NatsServer::Pause() {
  kill(pid_, SIGSTOP);
  int status = 0;
  waitpid(pid_, &status, WUNTRACED);  // the signal is sent; only now has it stopped
}
void NatsServer::Continue() { kill(pid_, SIGCONT); }

bool NatsServer::AddStream(const std::string& name, const std::vector<std::string>& subjects,
                           const NatsStreamOptions& options) {
  Admin admin(url(), options_.token);
  std::vector<const char*> names;
  for (const std::string& subject : subjects) names.push_back(subject.c_str());
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = name.c_str();
  config.Subjects = names.data();
  config.SubjectsLen = static_cast<int>(names.size());
  config.Storage = js_FileStorage;
  if (options.messages_max > 0) {
    config.MaxMsgs = options.messages_max;
    config.Discard = js_DiscardNew;
  }
  if (options.message_bytes_max > 0) {
    config.MaxMsgSize = static_cast<int32_t>(options.message_bytes_max);
  }
  config.Duplicates = options.duplicate_window_millis * 1'000'000;
  const bool added =
      admin.ok() && js_AddStream(nullptr, admin.js(), &config, nullptr, nullptr) == NATS_OK;
  if (!added) ADD_FAILURE() << "stream " << name << " cannot be added: " << LastError();
  return added;
}

bool NatsServer::DeleteStream(const std::string& name) {
  Admin admin(url(), options_.token);
  const bool gone =
      admin.ok() && js_DeleteStream(admin.js(), name.c_str(), nullptr, nullptr) == NATS_OK;
  if (!gone) ADD_FAILURE() << "stream " << name << " cannot be deleted: " << LastError();
  return gone;
}

bool NatsServer::LimitStream(const std::string& name, int64_t messages_max) {
  Admin admin(url(), options_.token);
  jsStreamInfo* info = nullptr;
  bool done =
      admin.ok() && js_GetStreamInfo(&info, admin.js(), name.c_str(), nullptr, nullptr) == NATS_OK;
  if (done) {
    info->Config->MaxMsgs = messages_max > 0 ? messages_max : -1;
    info->Config->Discard = js_DiscardNew;
    done = js_UpdateStream(nullptr, admin.js(), info->Config, nullptr, nullptr) == NATS_OK;
    jsStreamInfo_Destroy(info);
  }
  if (!done) ADD_FAILURE() << "stream " << name << " cannot be limited: " << LastError();
  return done;
}

std::vector<NatsStored> NatsServer::Read(const std::string& stream) {
  std::vector<NatsStored> all;
  Admin admin(url(), options_.token);
  jsStreamInfo* info = nullptr;
  if (!admin.ok() ||
      js_GetStreamInfo(&info, admin.js(), stream.c_str(), nullptr, nullptr) != NATS_OK) {
    ADD_FAILURE() << "stream " << stream << " cannot be read: " << LastError();
    return all;
  }
  const uint64_t first = info->State.FirstSeq;
  const uint64_t last = info->State.LastSeq;
  const uint64_t count = info->State.Msgs;
  jsStreamInfo_Destroy(info);
  for (uint64_t sequence = first; count > 0 && sequence <= last; ++sequence) {
    natsMsg* message = nullptr;
    if (js_GetMsg(&message, admin.js(), stream.c_str(), sequence, nullptr, nullptr) != NATS_OK) {
      continue;  // deleted
    }
    NatsStored stored;
    stored.sequence = sequence;
    stored.subject = natsMsg_GetSubject(message);
    const char* value = nullptr;
    if (natsMsgHeader_Get(message, "Nats-Msg-Id", &value) == NATS_OK) stored.id = value;
    if (natsMsgHeader_Get(message, "Content-Type", &value) == NATS_OK) {
      stored.content_type = value;
    }
    stored.body.assign(natsMsg_GetData(message),
                       static_cast<size_t>(natsMsg_GetDataLength(message)));
    all.push_back(std::move(stored));
    natsMsg_Destroy(message);
  }
  if (all.size() != count) {
    ADD_FAILURE() << "read " << all.size() << " of " << count << " messages of " << stream;
  }
  return all;
}

int64_t NatsServer::Count(const std::string& stream) {
  Admin admin(url(), options_.token);
  jsStreamInfo* info = nullptr;
  if (!admin.ok() ||
      js_GetStreamInfo(&info, admin.js(), stream.c_str(), nullptr, nullptr) != NATS_OK) {
    return -1;
  }
  const int64_t count = static_cast<int64_t>(info->State.Msgs);
  jsStreamInfo_Destroy(info);
  return count;
}

}  // namespace spool::testing
