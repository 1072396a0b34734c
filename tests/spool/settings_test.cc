// What the database was told, read back from the OPTIONS file that it writes itself: settings that
// durability rests on, which no other test would miss before a disk does what disks rarely do.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "tests/support/journal_fixture.h"

namespace spool {
namespace {

using Section = std::map<std::string, std::string>;

// By the section's head, as `DBOptions` or `CFOptions "stream:events"`.
std::map<std::string, Section> ReadOptions(const std::string& dir) {
  std::filesystem::path newest;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("OPTIONS-") && name > newest.filename().string()) newest = entry.path();
  }
  std::map<std::string, Section> sections;
  std::ifstream in(newest);
  EXPECT_TRUE(in) << "no OPTIONS in " << dir;
  std::string head;
  for (std::string line; std::getline(in, line);) {
    line.erase(0, line.find_first_not_of(' '));
    if (line.starts_with('[')) {
      head = line.substr(1, line.rfind(']') - 1);
      std::erase(head, '\\');  // names have their colons escaped
    }
    const size_t equals = line.find('=');
    if (line.starts_with('[') || line.starts_with('#') || equals == line.npos) continue;
    sections[head][line.substr(0, equals)] = line.substr(equals + 1);
  }
  return sections;
}

void ExpectSettings(const Section& section, const Section& wanted) {
  for (const auto& [name, value] : wanted) {
    const auto found = section.find(name);
    ASSERT_NE(found, section.end()) << name;
    EXPECT_EQ(found->second, value) << name;
  }
}

TEST_F(JournalTest, TheDatabaseIsSetAsItWasMeasured) {
  for (int start = 0; start < 2; ++start) {  // made, then opened again
    Reopen();
    AppendNumbers("events", static_cast<uint64_t>(start) * 10, 10);
    auto sections = ReadOptions(options.dir + "/db");
    ExpectSettings(sections["DBOptions"],
                   {// One flipped bit in the log is refused, a torn tail is not.
                    {"wal_recovery_mode", "kTolerateCorruptedTailRecords"},
                    // Old records in a log that is used again could be taken for new ones.
                    {"recycle_log_file_num", "0"},
                    // A log that is gone is missed.
                    {"track_and_verify_wals_in_manifest", "true"},
                    {"paranoid_checks", "true"},
                    {"flush_verify_memtable_count", "true"},
                    {"verify_sst_unique_id_in_manifest", "true"},
                    {"skip_checking_sst_file_sizes_on_db_open", "false"},
                    // No hidden resume after an error: what is on disk is unknown then.
                    {"max_bgerror_resume_count", "0"},
                    // What anybody wrote into a cluster does not reach our log.
                    {"allow_data_in_errors", "false"},
                    {"wal_compression", "kNoCompression"},
                    {"manual_wal_flush", "false"},
                    {"unordered_write", "false"},
                    {"avoid_flush_during_recovery", "false"},
                    {"allow_mmap_writes", "false"},
                    {"max_total_wal_size", std::to_string(uint64_t{128} << 20)},
                    {"db_write_buffer_size", std::to_string(uint64_t{48} << 20)}});
    for (const char* family : {"default", "dead_letters", "stream:audit", "stream:events"}) {
      SCOPED_TRACE(family);
      const std::string name = "\"" + std::string(family) + "\"";
      ExpectSettings(sections["CFOptions " + name], {{"force_consistency_checks", "true"},
                                                     {"max_write_buffer_number", "2"},
                                                     {"compression", "kZSTD"}});
      ExpectSettings(sections["TableOptions/BlockBasedTable " + name], {{"checksum", "kXXH3"}});
    }
  }
}

}  // namespace
}  // namespace spool
