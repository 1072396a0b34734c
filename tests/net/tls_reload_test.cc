// Certificates that change under a running server.
#include <sys/resource.h>

#include <thread>

#include "tests/net/tls_fixture.h"

namespace spool::net {
namespace {

class TlsReloadTest : public TlsTest {
 protected:
  void Install(const std::string& name) {
    test::PutFile(ca_.cert(name), Cert());
    test::PutFile(ca_.key(name), Key());
  }
  bool WaitReloads(uint64_t count) {
    return Eventually([&] { return Status().reloads >= count; });
  }
};

TEST_F(TlsReloadTest, NewConnectionsGetTheNewCertificateAndOldOnesGoOn) {
  StartEcho();
  RawSocket old = Secure(Client());
  EXPECT_EQ(old.tls().server_name(), "server");
  ca_.Issue("next");
  Install("next");
  ASSERT_TRUE(WaitReloads(1));
  EXPECT_EQ(Secure(Client()).tls().server_name(), "next");
  old.Send(kGet);
  EXPECT_EQ(old.ReadAnswer()->status, 200);
  EXPECT_EQ(Status().broken, "");
}

// As a Secret is mounted: the files are links, and a link above them is what changes.
TEST_F(TlsReloadTest, FollowsALinkThatPointsElsewhere) {
  namespace fs = std::filesystem;
  ca_.Issue("next");
  for (const char* name : {"server", "next"}) {
    fs::create_directory(dir_ / (std::string("..") + name));
    fs::copy_file(ca_.cert(name), dir_ / (std::string("..") + name + "/tls.crt"));
    fs::copy_file(ca_.key(name), dir_ / (std::string("..") + name + "/tls.key"));
  }
  fs::create_directory_symlink("..server", dir_ / "..data");
  for (const char* file : {"tls.crt", "tls.key"}) {
    fs::remove(dir_ / file);
    fs::create_symlink(std::string("..data/") + file, dir_ / file);
  }
  StartEcho();
  EXPECT_EQ(Secure(Client()).tls().server_name(), "server");
  fs::create_directory_symlink("..next", dir_ / "..data_tmp");
  fs::rename(dir_ / "..data_tmp", dir_ / "..data");
  ASSERT_TRUE(WaitReloads(1));
  EXPECT_EQ(Secure(Client()).tls().server_name(), "next");
  EXPECT_EQ(Status().reload_failures, 0u);
}

TEST_F(TlsReloadTest, ABrokenPairKeepsTheOldOneUntilItIsMended) {
  StartEcho();
  ca_.Issue("next");
  uint64_t failures = 0;
  for (const std::function<void()>& spoil : std::vector<std::function<void()>>{
           [&] { test::PutFile(ca_.cert("next"), Cert()); },  // its key is still to come
           [&] { std::ofstream(Cert()) << "-----BEGIN CERTIFICATE-----\nnonsense\n"; },
           [&] { std::filesystem::remove(Key()); },
           [&] {
             ca_.IssueExpired("late");
             Install("late");
           }}) {
    testing::internal::CaptureStderr();
    spoil();
    ++failures;
    EXPECT_TRUE(Eventually([&] { return Status().reload_failures >= failures; }));
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find("The new TLS files cannot be used"), std::string::npos) << said;
    EXPECT_NE(Status().broken, "");
    EXPECT_EQ(Secure(Client()).tls().server_name(), "server");
  }
  Install("next");
  ASSERT_TRUE(WaitReloads(1));
  EXPECT_EQ(Status().broken, "");
  EXPECT_EQ(Secure(Client()).tls().server_name(), "next");
}

// Nothing tells of the end of a shortage: the files are as they were at the look that failed.
TEST_F(TlsReloadTest, WhatCouldNotBeReadForWantOfDescriptorsIsReadLater) {
  auto context = TlsContext::Load("test", *tls_);
  ASSERT_TRUE(context) << context.error().message;
  ca_.Issue("next");
  Install("next");
  const auto look = [&] {
    (*context)->Refresh(RealClock().Now() + std::chrono::seconds(5), RealClock().Steady());
    return (*context)->status();
  };
  testing::internal::CaptureStderr();
  rlimit old{};
  getrlimit(RLIMIT_NOFILE, &old);
  const rlimit none{0, old.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const std::string broken = look().broken;
  const TlsStatus again = look();
  setrlimit(RLIMIT_NOFILE, &old);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(broken.find("Too many open files"), std::string::npos) << broken;
  EXPECT_EQ(again.broken, broken);
  EXPECT_EQ(again.reload_failures, 1u) << "one change, one count";
  EXPECT_EQ(said.find("cannot be used"), said.rfind("cannot be used")) << said;
  const TlsStatus mended = look();
  EXPECT_EQ(mended.broken, "");
  EXPECT_EQ(mended.reloads, 1u);
  EXPECT_EQ(look().reloads, 1u);
}

TEST_F(TlsReloadTest, AClientAuthorityThatIsGivenUpLetsNobodyInAnyMore) {
  const test::TestCa other(dir_ / "other");
  other.Issue("agent");
  ca_.Issue("agent");
  test::PutFile(ca_.ca(), dir_ / "clients.crt");
  tls_->client_ca = dir_ / "clients.crt";
  StartEcho();
  TlsClientOptions theirs = Client();
  theirs.cert = other.cert("agent");
  theirs.key = other.key("agent");
  EXPECT_EQ(SecureExchange(Client("agent"), kGet).status, 200);
  EXPECT_EQ(SecureExchange(theirs, kGet).status, 0);
  test::PutFile(other.ca(), dir_ / "clients.crt");
  ASSERT_TRUE(WaitReloads(1));
  EXPECT_EQ(SecureExchange(Client("agent"), kGet).status, 0);
  EXPECT_EQ(SecureExchange(theirs, kGet).status, 200);
}

TEST_F(TlsReloadTest, UnderLoadNoRequestFails) {
  StartEcho();
  std::atomic<uint64_t> requests{0}, failed{0};
  std::atomic<bool> done{false};
  std::vector<std::jthread> clients;
  for (int i = 0; i < 6; ++i) {
    // Half of them open a connection for each request, half keep one.
    clients.emplace_back([&, keeps = i % 2 == 0] {
      RawSocket socket;
      for (bool open = false; !done; open = keeps) {
        if (!open) {
          socket = Connect();
          if (!socket.StartTls(Client())) ++failed;
        }
        const auto answer =
            socket.Send(Post("/", "hello")) ? socket.ReadAnswer() : std::optional<RawAnswer>();
        if (!answer || answer->status != 200) ++failed;
        ++requests;
      }
    });
  }
  for (uint64_t turn = 1; turn <= 4; ++turn) {
    ca_.Issue("turn-" + std::to_string(turn));
    Install("turn-" + std::to_string(turn));
    ASSERT_TRUE(WaitReloads(turn));
  }
  const uint64_t before = requests;
  EXPECT_TRUE(Eventually([&] { return requests > before + 200; }));
  done = true;
  clients.clear();
  EXPECT_EQ(failed, 0u);
  EXPECT_GT(requests, 1000u);
  EXPECT_EQ(Status().failed(), 0u);
  EXPECT_EQ(Secure(Client()).tls().server_name(), "turn-4");
  RecordProperty("requests", std::to_string(requests));
}

}  // namespace
}  // namespace spool::net
