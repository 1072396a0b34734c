// The file source: follows every file that a glob fits, line by line, and knows after a restart
// where it was, since its places are written with the events.
//
// A file is known by device, inode and what it begins with, so that it is read once under whatever
// name: renamed, compressed after that, or copied before it was cut. What cannot be found again and
// may have held more is a gap.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ingest/sources/file_place.h"
#include "ingest/sources/file_tail.h"
#include "ingest/sources/pulled.h"
#include "ingest/sources/settings.h"

namespace spool {

class FileSource final : public PulledSource {
 public:
  // Files that are open at once; of more, those that are idle longest are closed meanwhile.
  static constexpr size_t kOpenMax = 128;
  // How often it looks for new files, and for what was written.
  static constexpr Micros kScanEvery = std::chrono::milliseconds(500);
  static constexpr Micros kLookEvery = std::chrono::milliseconds(100);
  // A file that has lost its place in the glob and does not grow for so long is read to its end.
  static constexpr Micros kRestAfter = std::chrono::seconds(5);
  // How long what a file held is looked for after it was cut or removed.
  static constexpr Micros kLookFor = std::chrono::seconds(15);

  static constexpr std::string_view kVanished = "vanished";    // removed before it was read
  static constexpr std::string_view kTruncated = "truncated";  // cut, and no copy of it found
  static constexpr std::string_view kDamaged = "damaged";  // compressed, and cannot be read whole

  FileSource(FileSourceSettings settings, IntakeOptions options, Journal& journal);
  ~FileSource() override;

  bool keeps_place() const override { return true; }
  std::span<const std::string_view> own_gaps() const override;

 private:
  // One file, open or not, or one that is gone and may turn up elsewhere.
  struct File {
    FilePlace place;
    std::unique_ptr<FileTail> tail;  // null: not open
    bool there = false;              // seen by the last scan, under place.path
    bool current = false;            // under a name that the glob fits, and that it always had
    bool was_current = false;        // at the scan before
    bool renamed = false;
    bool looked_at = false;  // since it changed last
    bool lost = false;       // `place.id` is not its any more
    std::string_view why;    // of a lost one: the cause of the gap, if it is not found
    SteadyTime lost_at;
    SteadyTime active;  // it had lines
    uint64_t size = 0;
    SystemTime modified;
  };
  struct Candidate {
    std::string path;
    FileLook look;
    bool fits = false;  // the glob fits it
  };

  enum class Likeness { kNone, kPerhaps, kCopy };

  Status Prepare() override;
  void Run(std::stop_token stop) override;

  // False of these: it is to stop.
  bool Begin(RecordPut say, const std::stop_token& stop);
  bool Turn(File& file, const std::stop_token& stop, bool* had);  // `had`: there were lines
  bool Put(File& file, Batch batch, const std::stop_token& stop);
  bool Finish(File& file, const std::stop_token& stop);

  std::vector<Candidate> Candidates();
  void Scan();
  void Meet(const Candidate& candidate);
  bool Adopt(const Candidate& candidate);
  Likeness LikenessOf(const Candidate& candidate) const;
  void Lose(File& file, std::string_view why);
  void GiveUpLost();
  bool OpenTail(File& file);
  void CloseTail(File& file);
  RecordPut RecordOf(const FilePlace& place) const;
  std::vector<RecordPut> Unwritten();  // the places of files that were found and have none yet
  void TellBehind();

  const FileSourceSettings settings_;
  IntakeLane lane_;
  // The thread's.
  std::map<uint64_t, File> files_;  // by number of their place
  uint64_t next_number_ = 1;
  SystemTime looked_;   // when this source looked last before this start, or first of all
  SystemTime scanned_;  // when the last scan began
  std::vector<uint64_t> unwritten_;
  std::set<FileId> old_;  // rotations that were there when it looked first of all
  std::set<std::pair<FileId, int64_t>> passed_over_;  // that are no news, with their time
};

}  // namespace spool
