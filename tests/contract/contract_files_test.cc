// What is particular to files and to standard output.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "forward/sink_factory.h"
#include "forward/sinks/outcomes.h"
#include "forward/sinks/sinks.h"
#include "tests/support/contract_targets.h"

namespace spool::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

SteadyTime Now() { return RealClock().Steady(); }

std::string Content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string Joined(const ContractBatch& batch) {
  std::string text;
  for (const std::string& body : batch.bodies()) text += body + "\n";
  return text;
}

std::vector<Outcome> Attempt(Sink& sink, const ContractBatch& batch,
                             SteadyTime deadline = Now() + seconds(20)) {
  std::vector<Outcome> outcomes(batch.size());
  sink.Deliver(batch.messages(), outcomes, deadline, {});
  return outcomes;
}

class FileSinkTest : public ::testing::Test {
 protected:
  std::unique_ptr<Sink> NewSink(const std::string& path) {
    return MakeFileSink(FileSettings{path});
  }
  ContractDir dir_;
  const std::string path_ = dir_.path() + "/events.jsonl";
};

TEST_F(FileSinkTest, AppendsToWhatIsThere) {
  dir_.Write("events.jsonl", "{\"mine\":1}\n");
  const ContractBatch batch(3);
  EXPECT_EQ(DeliverAll(*NewSink(path_), batch, 1).size(), 3u);
  EXPECT_EQ(Content(path_), "{\"mine\":1}\n" + Joined(batch));
}

TEST_F(FileSinkTest, CutsALineOfItsOwnThatACrashTore) {
  const ContractBatch whole(2);
  for (const size_t kept : {size_t{1}, size_t{9}, size_t{40}, whole.bodies()[1].size()}) {
    dir_.Write("events.jsonl", whole.bodies()[0] + "\n" + whole.bodies()[1].substr(0, kept));
    const ContractBatch batch(3, 0, 1);
    EXPECT_EQ(DeliverAll(*NewSink(path_), batch, 1).size(), 3u);
    EXPECT_EQ(Content(path_), whole.bodies()[0] + "\n" + Joined(batch)) << kept;
  }
}

TEST_F(FileSinkTest, CutsATornLineLongerThanItsBuffer) {
  const ContractBatch torn(1, 30'000);
  dir_.Write("events.jsonl", "{}\n" + torn.bodies()[0].substr(0, 25'000));
  EXPECT_EQ(DeliverAll(*NewSink(path_), torn, 1).size(), 1u);
  EXPECT_EQ(Content(path_), "{}\n" + Joined(torn));
}

// ext4 keeps the new length of a file whose new lines it lost.
TEST_F(FileSinkTest, CutsTheHolesOfAPowerCut) {
  const ContractBatch whole(3);
  const auto line = [&](size_t i) { return whole.bodies()[i] + "\n"; };
  const std::string zeros(700, '\0');
  const ContractBatch batch(3, 0, 1);
  for (const std::string& left :
       {zeros, zeros + "\n", line(1).substr(0, 5) + zeros, line(1).substr(0, 40) + zeros + "\n",
        line(1) + zeros, line(1) + zeros + "\n" + line(2).substr(0, 20),
        line(1) + zeros + "\n" + zeros + "\n", line(1) + std::string(200'000, '\0')}) {
    dir_.Write("events.jsonl", line(0) + left);
    EXPECT_EQ(DeliverAll(*NewSink(path_), batch, 1).size(), 3u);
    const std::string kept = left.starts_with(line(1)) ? line(1) : "";
    EXPECT_EQ(Content(path_), line(0) + kept + Joined(batch)) << left;
  }
}

// A line that is whole may have been reported delivered, whatever is in front of it.
TEST_F(FileSinkTest, CutsNoWholeLineBehindAHole) {
  const ContractBatch whole(3);
  const auto line = [&](size_t i) { return whole.bodies()[i] + "\n"; };
  const std::string zeros(700, '\0');
  const ContractBatch batch(2, 0, 3);
  for (const std::string& kept :
       {zeros + line(1), zeros + "\n" + line(1) + line(2),
        line(1).substr(0, 30) + zeros + "\n" + line(2), "mine" + zeros + "\n",
        zeros + "\n{\"mine\":1}\n", zeros + "mine\n"}) {
    for (const std::string& torn : {std::string(), zeros, line(0).substr(0, 50)}) {
      dir_.Write("events.jsonl", line(0) + kept + torn);
      EXPECT_EQ(DeliverAll(*NewSink(path_), batch, 1).size(), 2u);
      EXPECT_EQ(Content(path_), line(0) + kept + Joined(batch)) << kept << " | " << torn;
    }
  }
}

TEST_F(FileSinkTest, EndsWhatMayBeSomebodyElsesInsteadOfCuttingIt) {
  const ContractBatch batch(1);
  const std::string zeros(700, '\0');
  for (const std::string& left : {zeros + "mine", "mine" + zeros, "{\"mine\":1" + zeros}) {
    dir_.Write("events.jsonl", "{}\n" + left);
    EXPECT_EQ(DeliverAll(*NewSink(path_), batch, 1).size(), 1u);
    EXPECT_EQ(Content(path_), "{}\n" + left + "\n" + Joined(batch));
  }
}

TEST_F(FileSinkTest, EndsAForeignLastLineInsteadOfCuttingIt) {
  dir_.Write("events.jsonl", "somebody's notes");
  const ContractBatch batch(1);
  EXPECT_EQ(DeliverAll(*NewSink(path_), batch, 1).size(), 1u);
  EXPECT_EQ(Content(path_), "somebody's notes\n" + Joined(batch));
}

TEST_F(FileSinkTest, FollowsARotation) {
  const auto sink = NewSink(path_);
  const ContractBatch first(2);
  const ContractBatch second(2, 0, 2);
  const ContractBatch third(2, 0, 4);
  EXPECT_EQ(DeliverAll(*sink, first, 1).size(), 2u);
  std::filesystem::rename(path_, path_ + ".1");
  EXPECT_EQ(DeliverAll(*sink, second, 1).size(), 2u);
  std::filesystem::remove(path_);
  EXPECT_EQ(DeliverAll(*sink, third, 1).size(), 2u);
  EXPECT_EQ(Content(path_ + ".1"), Joined(first));
  EXPECT_EQ(Content(path_), Joined(third));
}

TEST_F(FileSinkTest, HoldsWhatAnOperatorMustPutRight) {
  const ContractBatch batch(2);
  const auto code = [&](const std::string& path) {
    const auto outcomes = Attempt(*NewSink(path), batch);
    for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.verdict, Verdict::kHold) << path;
    return outcomes[0].code;
  };
  EXPECT_EQ(code(dir_.path() + "/no/such/file"), "no_directory");
  EXPECT_EQ(code(dir_.path()), "not_a_file");
  ASSERT_EQ(mkfifo((dir_.path() + "/fifo").c_str(), 0600), 0);
  EXPECT_EQ(code(dir_.path() + "/fifo"), "not_a_file");
  dir_.Write("plain", "");
  EXPECT_EQ(code(dir_.path() + "/plain/file"), "no_directory");
}

TEST_F(FileSinkTest, TakesBackABatchThatDidNotFitAndRetriesIt) {
  const auto sink = NewSink(path_);
  const ContractBatch first(2);
  ASSERT_EQ(DeliverAll(*sink, first, 1).size(), 2u);
  // A limit on the file's size stands for a volume that fills up in the middle of a batch.
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 1000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const ContractBatch batch(10, 0, 2);
  const auto outcomes = Attempt(*sink, batch);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, SIG_DFL);
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.verdict, Verdict::kRetry);
    EXPECT_EQ(outcome.code, "no_space");
  }
  EXPECT_EQ(Content(path_), Joined(first));
  EXPECT_EQ(DeliverAll(*sink, batch, 1).size(), 10u);
  EXPECT_EQ(Content(path_), Joined(first) + Joined(batch));
}

TEST_F(FileSinkTest, SharesAPathWithAnotherSinkLineByLine) {
  const auto write = [&](size_t first) {
    const auto sink = NewSink(path_);
    for (size_t i = 0; i < 50; ++i) {
      const ContractBatch batch(20, 3000, first + i * 20);
      EXPECT_EQ(DeliverAll(*sink, batch, 1).size(), 20u);
    }
  };
  {
    std::jthread one(write, 0);
    std::jthread two(write, 100'000);
  }
  std::ifstream in(path_);
  size_t lines = 0;
  for (std::string line; std::getline(in, line); ++lines) {
    ASSERT_TRUE(line.starts_with("{\"specversion\"") && line.ends_with("}}"));
  }
  EXPECT_EQ(lines, 2000u);
}

// ---- standard output

TEST(StdoutSink, FinishesALineThatAFullPipeCutAndCountsItOnce) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const auto sink = MakeStdoutSink(ends[1]);
  const ContractBatch batch(1, 200'000);  // more than a pipe holds
  const auto cut = Attempt(*sink, batch, Now() + milliseconds(50));
  EXPECT_EQ(cut[0].verdict, Verdict::kRetry);
  std::string text;
  std::jthread reader([&] {
    char chunk[4096];
    for (ssize_t n; (n = read(ends[0], chunk, sizeof chunk)) > 0;) {
      text.append(chunk, static_cast<size_t>(n));
    }
  });
  const ContractBatch next(2, 0, 1);
  EXPECT_EQ(Attempt(*sink, batch)[0].verdict, Verdict::kDelivered);
  for (const Outcome& outcome : Attempt(*sink, next)) {
    EXPECT_EQ(outcome.verdict, Verdict::kDelivered);
  }
  close(ends[1]);
  reader.join();
  close(ends[0]);
  EXPECT_EQ(text, Joined(batch) + Joined(next));
}

TEST(StdoutSink, FinishesACutLineBeforeAnotherSinkWrites) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const auto live = MakeStdoutSink(ends[1]);
  const auto replay = MakeStdoutSink(ends[1]);
  const ContractBatch batch(1, 200'000);
  EXPECT_EQ(Attempt(*live, batch, Now() + milliseconds(50))[0].verdict, Verdict::kRetry);
  std::string text;
  std::jthread reader([&] {
    char chunk[4096];
    for (ssize_t n; (n = read(ends[0], chunk, sizeof chunk)) > 0;) {
      text.append(chunk, static_cast<size_t>(n));
    }
  });
  const ContractBatch other(2, 0, 1);
  for (const Outcome& outcome : Attempt(*replay, other)) {
    EXPECT_EQ(outcome.verdict, Verdict::kDelivered);
  }
  EXPECT_EQ(Attempt(*live, batch)[0].verdict, Verdict::kDelivered);
  close(ends[1]);
  reader.join();
  close(ends[0]);
  EXPECT_EQ(text, Joined(batch) + Joined(other));
}

TEST(StdoutSink, HoldsWhenTheReaderIsGoneAndTheProcessLives) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  close(ends[0]);
  const auto sink = MakeStdoutSink(ends[1]);
  const ContractBatch batch(3);
  const auto outcomes = Attempt(*sink, batch);  // SIGPIPE would end this test
  EXPECT_EQ(outcomes[0].verdict, Verdict::kHold);
  EXPECT_EQ(outcomes[0].code, "stdout_closed");
  close(ends[1]);
}

TEST(StdoutSink, WritesToSocketsAndFilesToo) {
  const ContractBatch batch(100);
  ContractDir dir;
  const std::string path = dir.Write("out", "");
  const int file = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  EXPECT_EQ(DeliverAll(*MakeStdoutSink(file), batch, 1).size(), 100u);
  close(file);
  EXPECT_EQ(Content(path), Joined(batch));
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const ContractBatch few(10);
  EXPECT_EQ(DeliverAll(*MakeStdoutSink(ends[1]), few, 1).size(), 10u);
  std::string text(Joined(few).size(), '\0');
  EXPECT_EQ(recv(ends[0], text.data(), text.size(), MSG_WAITALL),
            static_cast<ssize_t>(text.size()));
  EXPECT_EQ(text, Joined(few));
  close(ends[0]);
  close(ends[1]);
}

TEST(Excerpts, ArePrintableAndBounded) {
  EXPECT_EQ(Printable("a\tb\r\nc\x1b[31m\x7f"), "a b  c [31m ");
  EXPECT_EQ(Printable("caf\xc3\xa9 \xff\xc3( \xc2\x9b x"),
            "caf\xc3\xa9 ?"
            "?( ?"
            "? x");
  EXPECT_EQ(Printable(std::string(5000, 'x')).size(), 1024u);
  std::string wide;
  for (int i = 0; i < 1000; ++i) wide += "\xe2\x82\xac";
  EXPECT_EQ(Printable(wide).size(), 1023u);
}

}  // namespace
}  // namespace spool::testing
