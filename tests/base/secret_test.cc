#include "base/secret.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "base/secret_times.h"

namespace spool {
namespace {

class SecretTest : public testing::Test {
 protected:
  SecretTest() {
    std::string pattern = testing::TempDir() + "spool-secret-XXXXXX";
    dir_ = mkdtemp(pattern.data());
    path_ = dir_ + "/token";
  }
  ~SecretTest() override { std::filesystem::remove_all(dir_); }

  void Write(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }

  std::string dir_;
  std::string path_;
};

TEST_F(SecretTest, ItIsKnownWhenOneWasReadLast) {
  const auto time = [this]() -> SystemTime {
    for (const auto& [where, read] : SecretTimes()) {
      if (where == "file:" + path_) return read;
    }
    return {};
  };
  EXPECT_FALSE(Secret::FromFile(path_).Read().has_value());
  EXPECT_EQ(time(), SystemTime());
  Write("s3cret");
  const SystemTime before = RealClock().Now();
  ASSERT_TRUE(Secret::FromFile(path_).Read().has_value());
  EXPECT_GE(time(), before);
  EXPECT_LE(time(), RealClock().Now());
}

TEST_F(SecretTest, AFileIsReadWithoutItsTrailingLineEnds) {
  Write(" s3cret with space \r\n\n");
  EXPECT_EQ(Secret::FromFile(path_).Read().value(), " s3cret with space ");
}

TEST_F(SecretTest, AChangedFileIsFollowed) {
  Write("old");
  const Secret secret = Secret::FromFile(path_);
  EXPECT_EQ(secret.Read().value(), "old");
  Write("new");
  EXPECT_EQ(secret.Read().value(), "new");
}

TEST_F(SecretTest, AMissingOrEmptyFileIsNamedInTheError) {
  const Secret secret = Secret::FromFile(path_);
  for (const bool exists : {false, true}) {
    if (exists) Write("\n");
    const auto text = secret.Read();
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code, Code::kUnavailable);
    EXPECT_NE(text.error().message.find("file:" + path_), std::string::npos);
  }
}

TEST_F(SecretTest, ADirectoryOrAnEndlessFileIsNoSecret) {
  EXPECT_FALSE(Secret::FromFile(dir_).Read());
  const auto endless = Secret::FromFile("/dev/zero").Read();
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().code, Code::kUnavailable);
}

TEST_F(SecretTest, AnErrorNeverHoldsTheContent) {
  Write(std::string(70'000, 'k') + "CANARY");
  const auto text = Secret::FromFile(path_).Read();
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().message.find("kkk"), std::string::npos);
  EXPECT_EQ(text.error().message.find("CANARY"), std::string::npos);
}

TEST_F(SecretTest, AVariableIsReadWhenUsed) {
  const Secret secret = Secret::FromEnv("SPOOL_SECRET_TEST");
  unsetenv("SPOOL_SECRET_TEST");
  const auto missing = secret.Read();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kUnavailable);
  EXPECT_NE(missing.error().message.find("env:SPOOL_SECRET_TEST"), std::string::npos);
  setenv("SPOOL_SECRET_TEST", "value\n", 1);
  EXPECT_EQ(secret.Read().value(), "value");
  EXPECT_EQ(secret.Where(), "env:SPOOL_SECRET_TEST");
  unsetenv("SPOOL_SECRET_TEST");
}

}  // namespace
}  // namespace spool
