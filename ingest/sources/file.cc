#include "ingest/sources/file.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "ingest/sources/file_names.h"
#include "spool/records.h"

namespace spool {
namespace {

constexpr Micros kSayEvery = std::chrono::seconds(60);
// What a compressed or renamed file's time may be before the last look and still be news.
constexpr Micros kGrace = std::chrono::seconds(2);
// Two files that begin with so much of the same are the same; less may be a coincidence.
constexpr size_t kPrintMin = 256;
// Who copies or compresses a file writes to it at least as often.
constexpr Micros kAtRest = std::chrono::seconds(10);
constexpr size_t kPassedOverMax = 10'000;

constexpr std::array<std::string_view, 3> kGaps{FileSource::kVanished, FileSource::kTruncated,
                                                FileSource::kDamaged};

std::string LookedKey(std::string_view source) { return FilePlacesOf(source) + "looked"; }

}  // namespace

FileSource::FileSource(FileSourceSettings settings, IntakeOptions options, Journal& journal)
    : PulledSource(std::move(options), journal), settings_(std::move(settings)), lane_(intake_) {
  intake_.SetAddress(settings_.path);
}

FileSource::~FileSource() { Stop(intake_.clock().Steady()); }

std::span<const std::string_view> FileSource::own_gaps() const { return kGaps; }

Status FileSource::Prepare() {
  const std::string& name = intake_.options().name;
  const auto kept = intake_.journal().records().List(FilePlacesOf(name));
  if (!kept) return tl::unexpected(kept.error());
  for (const auto& [key, value] : *kept) {
    if (key == LookedKey(name)) {
      looked_ = FromMicros(std::strtoll(value.c_str(), nullptr, 10));
      continue;
    }
    const auto place = DecodeFilePlace(value);
    if (!place || FilePlaceKey(name, place->number) != key) {
      log::Error(
          "Where a source was in a file cannot be read; the file is read from its beginning.",
          {{"source", name}, {"record", key}});
      continue;
    }
    looked_ = std::max(looked_, place->seen);
    next_number_ = std::max(next_number_, place->number + 1);
    files_[place->number].place = *place;
  }
  return {};
}

RecordPut FileSource::RecordOf(const FilePlace& place) const {
  return {FilePlaceKey(intake_.options().name, place.number), EncodeFilePlace(place)};
}

std::vector<RecordPut> FileSource::Unwritten() {
  std::vector<RecordPut> records;
  for (const uint64_t number : std::exchange(unwritten_, {})) {
    const auto at = files_.find(number);
    if (at == files_.end() || at->second.place.offset > 0) continue;  // it has one
    at->second.place.seen = scanned_;
    records.push_back(RecordOf(at->second.place));
  }
  return records;
}

void FileSource::Run(std::stop_token stop) {
  const Clock& clock = intake_.clock();
  const auto say = [&] {
    return RecordPut{LookedKey(intake_.options().name), std::to_string(ToMicros(scanned_))};
  };
  if (!intake_.WaitOpen(stop)) return;
  scanned_ = clock.Now();
  if (looked_ == SystemTime{}) {
    looked_ = scanned_;
    if (!Begin(say(), stop)) return;
  }
  SteadyTime scan_at = clock.Steady(), say_at = clock.Steady() + kSayEvery;
  bool scanned = false, idle = false;
  while (!stop.stop_requested() && intake_.WaitOpen(stop)) {
    if (clock.Steady() >= scan_at) {
      Scan();
      scan_at = clock.Steady() + kScanEvery;
      scanned = true;
    }
    idle = false;
    bool any = false, run = true;
    for (auto& [number, file] : files_) {
      bool had = false;
      do {
        run = Turn(file, stop, &had);
        any |= had;
      } while (run && had && !file.current && clock.Steady() < scan_at);
      if (!run) break;
    }
    if (!run) break;
    idle = !any;
    if (any) continue;
    TellBehind();
    if (!lane_.Flush(stop)) break;
    if (scanned && clock.Steady() >= say_at) {
      Batch said;
      said.records = Unwritten();
      said.records.push_back(say());
      if (!lane_.Put(std::move(said), stop)) break;
      say_at = clock.Steady() + kSayEvery;
    }
    if (!intake_.Wait(kLookEvery, stop)) break;
  }
  // What it has not read yet keeps its older time, and so stays news.
  const bool stored = lane_.Finish();
  if (stored && scanned && idle && unwritten_.empty()) {
    const RecordPut said = say();
    static_cast<void>(intake_.journal().records().Put(said.key, said.value));
  }
}

// The very first time: with start `end` what is there counts as read, whole lines of it.
bool FileSource::Begin(RecordPut say, const std::stop_token& stop) {
  Batch batch;
  for (const Candidate& candidate : Candidates()) {
    if (!candidate.fits) old_.insert(candidate.look.id);
    if (settings_.from_end && candidate.fits) {
      FilePlace place;
      place.number = next_number_;
      place.id = candidate.look.id;
      place.path = candidate.path;
      place.seen = scanned_;
      const auto end = FileTail::EndOf(candidate.path, &place);
      if (!end) {
        intake_.Trouble(end.error().message);
        continue;
      }
      ++next_number_;
      batch.records.push_back(RecordOf(place));
      files_[place.number].place = place;
    }
  }
  batch.records.push_back(std::move(say));
  return lane_.Put(std::move(batch), stop) && lane_.Flush(stop);
}

std::vector<FileSource::Candidate> FileSource::Candidates() {
  std::vector<std::string> known;
  for (const auto& [number, file] : files_) known.push_back(file.place.path);
  std::vector<Candidate> out;
  for (const FoundName& found : FindFiles(settings_.path, known)) {
    const auto look = LookAtFile(found.path);
    if (!look) {
      if (look.error().code != Code::kNotFound) intake_.Trouble(look.error().message);
      continue;
    }
    out.push_back({found.path, *look, found.fits});
  }
  // Older ones first: of one file's rotations in the order in which they were written.
  std::stable_sort(out.begin(), out.end(), [](const Candidate& a, const Candidate& b) {
    return a.look.modified < b.look.modified;
  });
  return out;
}

void FileSource::Scan() {
  scanned_ = intake_.clock().Now();
  const std::vector<Candidate> candidates = Candidates();
  std::map<FileId, File*> by_id;
  for (auto& [number, file] : files_) {
    file.was_current = file.current;
    file.there = file.current = false;
    if (!file.lost) by_id[file.place.id] = &file;
  }
  std::vector<const Candidate*> unknown;
  for (const Candidate& candidate : candidates) {
    const auto at = by_id.find(candidate.look.id);
    if (at == by_id.end()) {
      unknown.push_back(&candidate);
      continue;
    }
    File& file = *at->second;
    const bool first = !std::exchange(file.there, true);
    if (!first && !candidate.fits) continue;  // another name of it
    if (file.place.path != candidate.path) file.renamed = file.renamed || !file.place.path.empty();
    file.place.path = candidate.path;
    file.current = candidate.fits && !file.renamed;
    file.size = candidate.look.size;
    if (file.modified != candidate.look.modified) file.looked_at = false;
    file.modified = candidate.look.modified;
  }
  for (auto& [number, file] : files_) {
    // Who writes it may have it open still.
    if (file.was_current && !file.current) file.active = intake_.clock().Steady();
    if (!file.there && !file.lost && !file.tail) Lose(file, kVanished);
  }
  if (passed_over_.size() > kPassedOverMax) passed_over_.clear();
  for (const Candidate* candidate : unknown) Meet(*candidate);
  for (auto& [number, file] : files_) {
    if (file.lost || file.tail || !file.there || file.looked_at) continue;
    file.looked_at = true;
    if (file.place.finished && file.size == file.place.offset) continue;
    if (file.place.finished && IsGzipName(file.place.path)) continue;
    OpenTail(file);
  }
  GiveUpLost();
}

void FileSource::Meet(const Candidate& candidate) {
  if (candidate.look.size == 0) return;
  const std::pair passed{candidate.look.id, ToMicros(candidate.look.modified)};
  if (passed_over_.contains(passed)) return;
  if (Adopt(candidate)) return;
  const bool news = candidate.fits || (candidate.look.modified > looked_ - kGrace &&
                                       !old_.contains(candidate.look.id));
  const Likeness likeness = news ? LikenessOf(candidate) : Likeness::kNone;
  if (likeness == Likeness::kPerhaps) return;  // to be seen
  if (!news || likeness == Likeness::kCopy) {
    passed_over_.insert(passed);
    return;
  }
  File& file = files_[next_number_];
  file.place.number = next_number_++;
  file.place.id = candidate.look.id;
  file.place.path = candidate.path;
  file.there = true;
  file.current = candidate.fits;
  unwritten_.push_back(file.place.number);
  file.size = candidate.look.size;
  file.modified = candidate.look.modified;
}

// What was lost under one name, inode or form and is there under another goes on where it was.
bool FileSource::Adopt(const Candidate& candidate) {
  for (auto& [number, file] : files_) {
    if (!file.lost || file.place.sample == 0) continue;
    const bool elsewhere = !candidate.fits || candidate.path != file.place.path;
    if (!elsewhere && file.place.sample < kPrintMin) continue;
    if (!IsGzipName(candidate.path) && candidate.look.size < file.place.offset) continue;
    const auto print = FileTail::Print(candidate.path, file.place.sample);
    if (!print || *print != file.place.print) continue;
    log::Info(
        "A file of a source is found again.",
        {{"source", intake_.options().name}, {"was", file.place.path}, {"is", candidate.path}});
    file.place.id = candidate.look.id;
    file.place.path = candidate.path;
    file.lost = false;
    file.there = true;
    file.current = false;
    file.renamed = true;
    file.looked_at = false;
    file.size = candidate.look.size;
    file.modified = candidate.look.modified;
    return true;
  }
  return false;
}

// Whether it is a second file with what one holds that is being read: a copy, or one in the making.
FileSource::Likeness FileSource::LikenessOf(const Candidate& candidate) const {
  const bool fresh = intake_.clock().Now() - candidate.look.modified < kAtRest;
  for (const auto& [number, file] : files_) {
    const size_t sample = file.place.sample;
    if (file.lost || sample == 0) continue;
    const auto print = FileTail::Print(candidate.path, sample);
    if (print) {
      // Of two files that the glob fits, little that is the same says nothing.
      if (*print == file.place.print && (sample >= kPrintMin || !candidate.fits)) {
        return Likeness::kCopy;
      }
      continue;
    }
    if (!fresh || print.error().code != Code::kNotFound) continue;
    if (IsGzipName(candidate.path)) return Likeness::kPerhaps;
    const auto begins = FileTail::Print(candidate.path, candidate.look.size);
    const auto other = FileTail::Print(file.place.path, candidate.look.size);
    if (begins && other && *begins == *other) return Likeness::kPerhaps;
  }
  return Likeness::kNone;
}

void FileSource::Lose(File& file, std::string_view why) {
  CloseTail(file);
  file.lost = true;
  file.there = file.current = false;
  file.why = why;
  file.lost_at = intake_.clock().Steady();
  passed_over_.clear();  // one of them may be its copy
}

void FileSource::GiveUpLost() {
  const SteadyTime now = intake_.clock().Steady();
  for (auto it = files_.begin(); it != files_.end();) {
    const File& file = it->second;
    if (!file.lost || now - file.lost_at < kLookFor) {
      ++it;
      continue;
    }
    if (!file.place.finished) {
      intake_.Gap(file.why, file.place.seen, intake_.clock().Now(),
                  "The file " + file.place.path +
                      (file.why == kTruncated ? " was cut" : " is gone") +
                      " and what it held after byte " + std::to_string(file.place.offset) +
                      " cannot be found.");
    }
    // Durable before it is forgotten: a gap is told twice rather than never.
    static_cast<void>(
        intake_.journal().records().Remove(FilePlaceKey(intake_.options().name, it->first)));
    it = files_.erase(it);
  }
}

bool FileSource::OpenTail(File& file) {
  const auto open = std::count_if(files_.begin(), files_.end(),
                                  [](const auto& one) { return one.second.tail != nullptr; });
  if (open >= static_cast<int64_t>(kOpenMax)) {
    File* idle = nullptr;
    for (auto& [number, one] : files_) {
      if (one.tail && (idle == nullptr || one.active < idle->active)) idle = &one;
    }
    CloseTail(*idle);
  }
  auto tail = FileTail::Open(file.place.path, file.place);
  if (!tail) {
    if (tail.error().code == Code::kConflict) {
      Lose(file, kTruncated);
    } else if (tail.error().code != Code::kNotFound) {
      file.looked_at = false;  // to be tried again
      intake_.Trouble(tail.error().message);
    }
    return false;
  }
  file.tail = std::move(*tail);
  file.active = intake_.clock().Steady();
  return true;
}

void FileSource::CloseTail(File& file) {
  if (!file.tail) return;
  const std::string path = file.place.path;
  file.place = file.tail->place();
  file.place.path = path;
  file.tail.reset();
}

bool FileSource::Put(File& file, Batch batch, const std::stop_token& stop) {
  file.tail->place().finished = false;
  file.tail->place().seen = scanned_;
  file.tail->place().path = file.place.path;
  // Of the files that were found meanwhile, too: who was there at that scan and is not recorded is
  // no news at the next start.
  batch.records = Unwritten();
  file.place = file.tail->place();
  batch.records.push_back(RecordOf(file.place));
  return lane_.Put(std::move(batch), stop);
}

// Read to its end, for good as far as can be told.
bool FileSource::Finish(File& file, const std::stop_token& stop) {
  CloseTail(file);
  file.place.finished = true;
  file.place.seen = scanned_;
  Batch batch;
  batch.records = Unwritten();
  batch.records.push_back(RecordOf(file.place));
  if (!lane_.Put(std::move(batch), stop)) return false;
  if (!file.there) Lose(file, kVanished);
  return true;
}

bool FileSource::Turn(File& file, const std::stop_token& stop, bool* had) {
  *had = false;
  if (!file.tail) return true;
  const SteadyTime now = intake_.clock().Steady();
  const bool rest = !file.current && now - file.active >= kRestAfter;
  Batch batch;
  batch.path = settings_.as;
  Fetched& lines = batch.bodies.emplace_back();
  lines.content_type = "application/x-ndjson";
  const uint64_t before = file.tail->place().offset;
  const FileTail::Got got =
      file.tail->Read(Intake::kBodyBytes, Intake::kBodyRecords, rest, &lines.body);
  switch (got) {
    case FileTail::Got::kTooLong:
      lines.unfit = "too_large";
      lines.unfit_detail =
          "a line of " + std::to_string(file.tail->too_long()) + " bytes; at most 16 MiB are taken";
      [[fallthrough]];
    case FileTail::Got::kLines:
      *had = true;
      file.active = now;
      batch.bytes = file.tail->place().offset - before;
      return Put(file, std::move(batch), stop);
    case FileTail::Got::kNothing: return !rest || Finish(file, stop);
    case FileTail::Got::kEnd: return Finish(file, stop);
    case FileTail::Got::kReplaced: Lose(file, kTruncated); return true;
    case FileTail::Got::kCorrupt: {
      intake_.Gap(kDamaged, file.place.seen, intake_.clock().Now(), file.tail->error());
      return Finish(file, stop);
    }
    case FileTail::Got::kTrouble:
      intake_.Trouble(file.tail->error());
      CloseTail(file);
      file.looked_at = false;
      return true;
  }
  return true;
}

void FileSource::TellBehind() {
  uint64_t bytes = 0;
  for (const auto& [number, file] : files_) {
    if (file.lost || file.place.finished) continue;
    const uint64_t offset = file.tail ? file.tail->place().offset : file.place.offset;
    const auto look = file.tail ? file.tail->Look() : LookAtFile(file.place.path);
    if (look && !IsGzipName(file.place.path) && look->size > offset) bytes += look->size - offset;
  }
  intake_.SetBehind(bytes, std::nullopt);
}

}  // namespace spool
