// Bytes of the volume change, are cut off, go back in time or are gone. Whatever the file: the
// journal opens with all of its events, or says that something is wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>

#include "spool/directory.h"
#include "spool/table_probe.h"
#include "tests/support/fault_profile.h"
#include "tests/support/journal_fixture.h"
#include "tests/support/raw_store.h"

namespace spool::testing {
namespace {

namespace fs = std::filesystem;

std::string ReadBytes(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void WriteBytes(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// "000012.log" is a log, "MANIFEST-000005" a manifest.
std::string KindOf(const std::string& name) {
  for (const char* kind : {"MANIFEST", "OPTIONS", "CURRENT", "IDENTITY", "FORMAT", "WATERMARK"}) {
    if (name.rfind(kind, 0) == 0) return kind;
  }
  return name.ends_with(".sst") ? "SST" : name.ends_with(".log") ? "WAL" : "";
}

class DamageTest : public JournalTest {
 protected:
  // A journal as a kill would leave it, with tables and a log, and how it was a while before.
  void Make(bool tables) {
    uint64_t number = 1;
    const auto work = [&](int commits) {
      for (int i = 0; i < commits; ++i, number += 5) {
        std::string data(300, static_cast<char>('a' + number % 26));
        if (i % 4 == 0) data.append(5'000, static_cast<char>(number));
        AppendNumbers(number % 2 == 0 ? "events" : "audit", number, 5, data);
      }
    };
    Open();
    if (tables) {
      work(80);  // more than a few blocks of each table
      journal.reset();
      RawStore(options.dir).Settle();
      Open();
    }
    work(10);
    auto cursor = journal->OpenCursor({"target/a", journal->AllStreams(), journal->end()});
    ASSERT_TRUE(cursor);
    fs::copy(options.dir, older_, fs::copy_options::recursive);
    work(10);
    before_ = ReadAll(journal->AllStreams());
    end_ = journal->end();
    fs::copy(options.dir, intact_, fs::copy_options::recursive);
    cursor->reset();
    journal.reset();
    for (const auto& entry : fs::recursive_directory_iterator(intact_)) {
      const fs::path path = fs::relative(entry.path(), intact_);
      const std::string kind = KindOf(path.filename().string());
      if (entry.is_regular_file() && entry.file_size() > 0 && !kind.empty()) {
        files_[kind].push_back(path);
      }
    }
    for (auto& [kind, paths] : files_) std::sort(paths.begin(), paths.end());
  }

  // Damages one file and says how; empty when this damage cannot be done to it.
  std::string Damage(const fs::path& file, std::mt19937_64& random) {
    const fs::path path = options.dir / file;
    std::string bytes = ReadBytes(path);
    const std::string old = bytes;
    const size_t at = random() % bytes.size();
    std::string told;
    switch (random() % 8) {
      case 0:
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
        told = "one bit flipped at " + std::to_string(at);
        break;
      case 2: {
        const size_t end = std::min(bytes.size(), at + 1 + random() % 64);
        for (size_t i = at; i < end; ++i) bytes[i] = static_cast<char>(random());
        told = "bytes overwritten at " + std::to_string(at);
        break;
      }
      case 3: {
        const size_t begin = at / 512 * 512;
        const size_t end = std::min(bytes.size(), begin + 512);
        std::fill(bytes.begin() + static_cast<ptrdiff_t>(begin),
                  bytes.begin() + static_cast<ptrdiff_t>(end), '\0');
        told = "a block of zeros at " + std::to_string(begin);
        break;
      }
      case 4:
        bytes.resize(at);
        told = "cut at " + std::to_string(at) + " of " + std::to_string(old.size());
        break;
      case 5:
        if (random() % 2 == 0) {
          bytes.clear();
          told = "emptied";
          break;
        }
        fs::remove(path);
        return "gone";
      case 6:
        if (!fs::exists(older_ / file)) return {};
        bytes = ReadBytes(older_ / file);
        told = "as it was before";
        break;
      default: {
        const auto& same = files_.at(KindOf(file.filename().string()));
        bytes = ReadBytes(intact_ / same[random() % same.size()]);
        told = "with another's bytes";
        break;
      }
    }
    if (bytes == old) return {};
    WriteBytes(path, bytes);
    return told;
  }

  enum class Seen { kRefused, kTold, kWhole, kWrong };
  Seen Look(std::string& what) {
    // As a program does after one that was ended by such a table.
    MarkOpen(options.dir);
    if (const Status sound = LookBeforeOpening(options.dir); !sound) {
      what = sound.error().message;
      return sound.error().code == Code::kDamaged ? Seen::kRefused : Seen::kWrong;
    }
    auto opened = Journal::Open(options);
    if (!opened) {
      what = opened.error().message;
      const bool named = opened.error().code == Code::kDamaged ||
                         opened.error().code == Code::kStorage ||
                         opened.error().code == Code::kInvalid;
      return named ? Seen::kRefused : Seen::kWrong;
    }
    auto reader = (*opened)->NewReader((*opened)->AllStreams());
    std::vector<ReadEvent> after;
    for (Sequence from{1}; from < (*opened)->end();) {
      auto page = reader->Read(from, {.events_max = 50});
      if (!page) {
        what = page.error().message;
        return page.error().code == Code::kDamaged && IsBeginning(after) ? Seen::kTold
                                                                         : Seen::kWrong;
      }
      const ReadAnswer answer = Copy(*page);
      after.insert(after.end(), answer.events.begin(), answer.events.end());
      if (answer.next <= from) break;
      from = answer.next;
    }
    what = "opened with " + std::to_string(after.size()) + " events of " +
           std::to_string(before_.size()) + ", the end is " + ToText((*opened)->end());
    return after == before_ && (*opened)->end() == end_ ? Seen::kWhole : Seen::kWrong;
  }
  bool IsBeginning(const std::vector<ReadEvent>& events) const {
    return events.size() <= before_.size() &&
           std::equal(events.begin(), events.end(), before_.begin());
  }
  void Restore() {
    fs::remove_all(options.dir);
    fs::copy(intact_, options.dir, fs::copy_options::recursive);
  }

  void Run(const FaultProfile& profile, bool tables) {
    Make(tables);
    if (HasFatalFailure()) return;
    for (const char* kind : {"WAL", "MANIFEST", "CURRENT", "OPTIONS", "FORMAT", "WATERMARK"}) {
      ASSERT_TRUE(files_.contains(kind)) << kind;
    }
    ASSERT_EQ(files_.contains("SST"), tables);
    std::map<Seen, int> seen;
    int done = 0;
    const auto kept = profile.Kept();
    for (size_t i = 0; i < kept.size() || done < profile.count() / 2; ++i) {
      const uint64_t seed = profile.SeedAt(i, kept);
      std::mt19937_64 random(seed);
      auto kind = files_.begin();
      std::advance(kind, static_cast<ptrdiff_t>(random() % files_.size()));
      if (random() % 2 == 0) kind = files_.find(tables && random() % 2 == 0 ? "SST" : "WAL");
      const fs::path file = kind->second[random() % kind->second.size()];
      Restore();
      const std::string damage = Damage(file, random);
      if (damage.empty()) continue;
      std::string what;
      const Seen result = Look(what);
      ++seen[result];
      ++done;
      ASSERT_NE(result, Seen::kWrong)
          << "SPOOL_DAMAGE_SEED=" << seed << ", " << file << " " << damage << ": " << what;
    }
    EXPECT_GT(seen[Seen::kRefused], 0);
    EXPECT_GT(seen[Seen::kWhole], 0);
    profile.Report("damaged files", done,
                   "refused " + std::to_string(seen[Seen::kRefused]) + ", told on reading " +
                       std::to_string(seen[Seen::kTold]) + ", harmless " +
                       std::to_string(seen[Seen::kWhole]));
  }

  const fs::path intact_ = scratch.path() + "/intact";
  const fs::path older_ = scratch.path() + "/older";
  std::vector<ReadEvent> before_;
  Sequence end_;
  std::map<std::string, std::vector<fs::path>> files_;
};

TEST_F(DamageTest, NoDamagedFileBesideTheLogIsTakenForFewerEvents) {
  Run(FaultProfile("DAMAGE", 200), false);
}

TEST_F(DamageTest, NoDamagedFileWithTablesIsTakenForFewerEvents) {
  // With the horizon a start reads every event; without, some damage is met by the reader alone.
  options.dedupe_entries = 0;
  Run(FaultProfile("DAMAGE", 200), true);
}

TEST_F(DamageTest, ADatabaseThatWentBackInTimeIsNoticed) {
  Make(true);
  Restore();
  fs::remove_all(options.dir + "/db");
  fs::copy(older_ / "db", options.dir + "/db", fs::copy_options::recursive);
  std::string what;
  EXPECT_EQ(Look(what), Seen::kRefused) << what;
}

TEST_F(DamageTest, TheIntactCopyIsWhole) {
  Make(true);
  Restore();
  std::string what;
  EXPECT_EQ(Look(what), Seen::kWhole) << what;
}

}  // namespace
}  // namespace spool::testing
