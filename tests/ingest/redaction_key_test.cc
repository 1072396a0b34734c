#include "ingest/redaction_key.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/hash.h"
#include "tests/support/journal_fixture.h"

namespace spool::testing {
namespace {

namespace fs = std::filesystem;

class RedactionKeyTest : public ::testing::Test {
 protected:
  std::string path() const { return dir_.path() + "/REDACTION_KEY"; }
  std::string Text() const {
    std::ifstream in(path());
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void Write(const std::string& text, mode_t mode = 0600) const {
    std::ofstream(path()) << text;
    ASSERT_EQ(chmod(path().c_str(), mode), 0);
  }
  Code Refusal() const {
    const auto key = KeepRedactionKey(dir_.path());
    return key ? Code{} : key.error().code;
  }
  ScratchDir dir_;
};

TEST_F(RedactionKeyTest, IsMadeOnceAndForItsOwnerAlone) {
  const auto made = KeepRedactionKey(dir_.path());
  ASSERT_TRUE(made);
  struct stat about {};
  ASSERT_EQ(stat(path().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  EXPECT_EQ(Text(), Hex(*made) + "\n");
  const auto again = KeepRedactionKey(dir_.path());
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *made);
  ScratchDir other;
  const auto another = KeepRedactionKey(other.path());
  ASSERT_TRUE(another);
  EXPECT_NE(*another, *made);
}

TEST_F(RedactionKeyTest, HalfAKeyOfACrashIsNoKey) {
  std::ofstream(path() + ".new") << "0123";
  EXPECT_TRUE(KeepRedactionKey(dir_.path()));
  EXPECT_EQ(Text().size(), 65u);
  EXPECT_FALSE(fs::exists(path() + ".new"));
}

TEST_F(RedactionKeyTest, RefusesWhatIsNoKeyAndLeavesIt) {
  const std::string whole(64, 'a');
  for (const std::string& text : {std::string(), std::string("\n"), whole, whole + "a\n",
                                  whole.substr(1) + "\n", whole.substr(1) + "g\n"}) {
    Write(text);
    EXPECT_EQ(Refusal(), Code::kInvalid) << text;
    EXPECT_EQ(Text(), text);
  }
  Write(whole + "\n");
  EXPECT_TRUE(KeepRedactionKey(dir_.path()));
}

TEST_F(RedactionKeyTest, RefusesAKeyThatOthersMayRead) {
  Write(std::string(64, 'a') + "\n", 0640);
  EXPECT_EQ(Refusal(), Code::kInvalid);
  Write(std::string(64, 'a') + "\n", 0604);
  EXPECT_EQ(Refusal(), Code::kInvalid);
}

TEST_F(RedactionKeyTest, FollowsNoLink) {
  std::ofstream(dir_.path() + "/elsewhere") << std::string(64, 'a') + "\n";
  ASSERT_EQ(symlink("elsewhere", path().c_str()), 0);
  EXPECT_EQ(Refusal(), Code::kStorage);
}

TEST_F(RedactionKeyTest, IsCopiedAndNeverOverAnother) {
  ScratchDir copy;
  EXPECT_TRUE(CopyRedactionKey(dir_.path(), copy.path()));  // there is none: nothing to do
  EXPECT_TRUE(fs::is_empty(copy.path()));
  const auto made = KeepRedactionKey(dir_.path());
  ASSERT_TRUE(made);
  EXPECT_TRUE(CopyRedactionKey(dir_.path(), copy.path()));
  const auto copied = KeepRedactionKey(copy.path());
  ASSERT_TRUE(copied);
  EXPECT_EQ(*copied, *made);
  const Status again = CopyRedactionKey(dir_.path(), copy.path());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kConflict);
}

TEST_F(RedactionKeyTest, OfASecretNeedsALongOne) {
  const auto refused = RedactionKeyOf(std::string(31, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  const auto one = RedactionKeyOf(std::string(32, 'x'));
  const auto same = RedactionKeyOf(std::string(32, 'x'));
  const auto other = RedactionKeyOf(std::string(32, 'y'));
  ASSERT_TRUE(one && same && other);
  EXPECT_EQ(*one, *same);
  EXPECT_NE(*one, *other);
}

}  // namespace
}  // namespace spool::testing
