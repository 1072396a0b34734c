#include "ingest/sources/file_tail.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/hash.h"
#include "net/body_decoder.h"

namespace spool {
namespace {

constexpr size_t kChunk = size_t{256} << 10;
// Small, since it may become a thousand times as much.
constexpr size_t kCompressedChunk = size_t{4} << 10;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

tl::unexpected<Error> FailErrno(const std::string& what) {
  const int number = errno;
  return Fail(number == ENOENT ? Code::kNotFound : Code::kUnavailable,
              what + ": " + strerror(number));  // NOLINT(concurrency-mt-unsafe): glibc's is not
}

Result<FileLook> LookOf(const struct stat& stat, const std::string& path) {
  if (!S_ISREG(stat.st_mode)) return Fail(Code::kNotFound, path + " is no regular file");
  FileLook look;
  look.id = {stat.st_dev, stat.st_ino};
  look.size = static_cast<uint64_t>(stat.st_size);
  look.links = stat.st_nlink;
  look.modified =
      FromMicros(int64_t{stat.st_mtim.tv_sec} * 1'000'000 + stat.st_mtim.tv_nsec / 1000);
  return look;
}

Result<FileLook> LookAt(int fd, const std::string& path) {
  struct stat stat {};
  if (fstat(fd, &stat) != 0) return FailErrno("cannot look at " + path);
  return LookOf(stat, path);
}

Result<Descriptor> OpenFile(const std::string& path) {
  // Not to wait for whoever writes a pipe of that name.
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.fd() < 0) return FailErrno("cannot open " + path);
  return file;
}

// Bytes read; 0 at the end, -1 with errno.
ssize_t ReadAt(int fd, char* to, size_t size, uint64_t offset) {
  size_t done = 0;
  while (done < size) {
    const ssize_t got = pread(fd, to + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return done > 0 ? static_cast<ssize_t>(done) : got;
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return static_cast<ssize_t>(done);
}

bool IsGzip(int fd) {
  char magic[3];
  return ReadAt(fd, magic, sizeof magic, 0) == sizeof magic &&
         std::string_view(magic, sizeof magic) == "\x1f\x8b\x08";
}

}  // namespace

// Where the bytes come from.
class FileTail::Input {
 public:
  explicit Input(Descriptor file, std::string path)
      : file_(std::move(file)), path_(std::move(path)) {}
  virtual ~Input() = default;
  // Appends some; false when there is nothing now, or nothing more.
  virtual bool Read(size_t most, std::string* out) = 0;
  // What was passed before `offset` is still what it was, as far as can be seen.
  virtual bool Stands(uint64_t read, const FilePlace& place) = 0;
  virtual bool compressed() const = 0;
  virtual bool complete() const { return false; }
  virtual bool corrupt() const { return false; }
  int fd() const { return file_.fd(); }
  const std::string& path() const { return path_; }
  std::string error;

 private:
  const Descriptor file_;
  const std::string path_;
};

class FileTail::PlainInput final : public Input {
 public:
  PlainInput(Descriptor file, std::string path, uint64_t offset)
      : Input(std::move(file), std::move(path)), at_(offset) {}

  bool Read(size_t most, std::string* out) override {
    struct stat stat {};
    if (fstat(fd(), &stat) != 0 || static_cast<uint64_t>(stat.st_size) <= at_) return false;
    const size_t want =
        static_cast<size_t>(std::min<uint64_t>(most, static_cast<uint64_t>(stat.st_size) - at_));
    const size_t before = out->size();
    out->resize(before + want);
    const ssize_t got = ReadAt(fd(), out->data() + before, want, at_);
    if (got < 0) error = "cannot read " + path() + ": " + strerror(errno);  // NOLINT
    out->resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    at_ += static_cast<uint64_t>(std::max<ssize_t>(got, 0));
    return got > 0;
  }
  bool Stands(uint64_t read, const FilePlace& place) override {
    struct stat stat {};
    if (fstat(fd(), &stat) != 0 || static_cast<uint64_t>(stat.st_size) < read) return false;
    char head[FilePlace::kSampleMax];
    return place.sample == 0 ||
           (ReadAt(fd(), head, place.sample, 0) == static_cast<ssize_t>(place.sample) &&
            FastHash64({head, place.sample}) == place.print);
  }
  bool compressed() const override { return false; }

 private:
  uint64_t at_;
};

class FileTail::GzipInput final : public Input, private net::BodyDecoder::Host {
 public:
  GzipInput(Descriptor file, std::string path, uint64_t skip)
      : Input(std::move(file), std::move(path)),
        decoder_(net::BodyDecoder::Create(net::Coding::kGzip)),
        skip_(skip) {}

  bool Read(size_t /*most*/, std::string* out) override {
    const size_t before = out->size();
    out_ = out;
    while (out->size() == before && !corrupt_) {
      char chunk[kCompressedChunk];
      const ssize_t got = ReadAt(fd(), chunk, sizeof chunk, at_);
      if (got < 0) error = "cannot read " + path() + ": " + strerror(errno);  // NOLINT
      if (got <= 0) break;
      at_ += static_cast<uint64_t>(got);
      corrupt_ = decoder_->Feed({chunk, static_cast<size_t>(got)}, *this) !=
                 net::BodyDecoder::Outcome::kOk;
    }
    out_ = nullptr;
    return out->size() > before;
  }
  bool Stands(uint64_t /*read*/, const FilePlace& /*place*/) override { return true; }
  bool compressed() const override { return true; }
  bool complete() const override {
    struct stat stat {};
    return decoder_->Complete() && skip_ == 0 && fstat(fd(), &stat) == 0 &&
           static_cast<uint64_t>(stat.st_size) == at_;
  }
  bool corrupt() const override { return corrupt_; }

 private:
  bool AdmitDecoder(size_t /*bytes*/) override { return true; }
  bool TakeDecoded(std::string_view piece, size_t /*consumed*/) override {
    const auto passed = static_cast<size_t>(std::min<uint64_t>(skip_, piece.size()));
    skip_ -= passed;
    out_->append(piece.substr(passed));
    return true;
  }

  const std::unique_ptr<net::BodyDecoder> decoder_;
  uint64_t skip_;
  uint64_t at_ = 0;
  bool corrupt_ = false;
  std::string* out_ = nullptr;
};

FileTail::FileTail(std::unique_ptr<Input> input, FilePlace place)
    : input_(std::move(input)), place_(std::move(place)) {}
FileTail::~FileTail() = default;

Result<std::unique_ptr<FileTail>> FileTail::Open(const std::string& path, const FilePlace& place) {
  auto file = OpenFile(path);
  if (!file) return tl::unexpected(file.error());
  const auto look = LookAt(file->fd(), path);
  if (!look) return tl::unexpected(look.error());
  if (look->id != place.id) return Fail(Code::kNotFound, path + " is another file now");
  std::string head;
  const size_t known = static_cast<size_t>(std::min<uint64_t>(place.offset, FilePlace::kSampleMax));
  std::unique_ptr<Input> input;
  const auto begins = [&] {
    return place.sample <= head.size() &&
           (place.sample == 0 ||
            FastHash64(std::string_view(head).substr(0, place.sample)) == place.print);
  };
  if (IsGzip(file->fd())) {
    {
      auto again = OpenFile(path);
      if (!again) return tl::unexpected(again.error());
      GzipInput first(std::move(*again), path, 0);
      while (head.size() < known && first.Read(kChunk, &head)) continue;
      head.resize(std::min(head.size(), known));
    }
    input = std::make_unique<GzipInput>(std::move(*file), path, place.offset);
  } else {
    if (look->size < place.offset) return Fail(Code::kConflict, path + " is shorter than it was");
    head.resize(known);
    if (ReadAt(file->fd(), head.data(), known, 0) != static_cast<ssize_t>(known)) {
      return Fail(Code::kUnavailable, "cannot read " + path);
    }
    input = std::make_unique<PlainInput>(std::move(*file), path, place.offset);
  }
  if (!begins()) return Fail(Code::kConflict, path + " does not begin as it did");
  std::unique_ptr<FileTail> tail(new FileTail(std::move(input), place));
  tail->head_ = std::move(head);
  return tail;
}

bool FileTail::compressed() const { return input_->compressed(); }
Result<FileLook> FileTail::Look() const { return LookAt(input_->fd(), input_->path()); }
uint64_t FileTail::partial() const { return pending_.size() + skipped_; }

// `stored` is what place_.offset has just passed.
void FileTail::Sample(std::string_view stored) {
  if (head_.size() >= FilePlace::kSampleMax) return;
  head_.append(stored.substr(0, FilePlace::kSampleMax - head_.size()));
  place_.sample = static_cast<uint32_t>(head_.size());
  place_.print = FastHash64(head_);
}

// A file that was cut under a writer who goes on where he was begins with a hole.
void FileTail::DropZeros() {
  if (skipped_ != 0 || pending_.empty() || pending_[0] != '\0') return;
  const size_t zeros = std::min(pending_.find_first_not_of('\0'), pending_.size());
  Sample(std::string_view(pending_).substr(0, zeros));
  place_.offset += zeros;
  pending_.erase(0, zeros);
  searched_ = 0;
}

// Reads until there is enough, and at least a line feed; gives back where the last line ends, npos
// when none does.
size_t FileTail::Fill(size_t bytes_max) {
  bool more = true;
  while (more && pending_.size() < bytes_max) {
    more = input_->Read(std::max(bytes_max - pending_.size(), kChunk), &pending_);
    DropZeros();
  }
  for (;;) {
    const void* feed = memrchr(pending_.data() + searched_, '\n', pending_.size() - searched_);
    if (feed != nullptr) {
      return static_cast<size_t>(static_cast<const char*>(feed) - pending_.data()) + 1;
    }
    searched_ = pending_.size();
    if (pending_.size() > kLineMax) {
      if (skipped_ == 0) excerpt_ = pending_.substr(0, kExcerpt);
      skipped_ += pending_.size();
      Sample(pending_);
      pending_.clear();
      searched_ = 0;
    }
    if (!more) return std::string::npos;
    more = input_->Read(std::max(pending_.size(), kChunk), &pending_);
    DropZeros();
  }
}

FileTail::Got FileTail::Read(size_t bytes_max, size_t lines_max, bool rest, std::string* lines) {
  lines->clear();
  input_->error.clear();
  size_t end = Fill(bytes_max);
  // After reading: what is gone before is seen, and what was read before that is good.
  if (!input_->Stands(place_.offset + partial(), place_)) return Got::kReplaced;
  if (end == std::string::npos) {
    if (partial() == 0 || !(rest || input_->complete())) {
      error_ = input_->corrupt() ? input_->path() + " is no whole gzip file" : input_->error;
      if (input_->corrupt()) return Got::kCorrupt;
      if (!error_.empty()) return Got::kTrouble;
      return input_->complete() ? Got::kEnd : Got::kNothing;
    }
    end = pending_.size();  // the last line has no line feed
  }
  const auto line_end = [&](size_t from) {
    const void* feed = memchr(pending_.data() + from, '\n', end - from);
    return feed == nullptr
               ? end
               : static_cast<size_t>(static_cast<const char*>(feed) - pending_.data()) + 1;
  };
  if (skipped_ != 0) {
    const size_t size = line_end(0);
    too_long_ = skipped_ + size;
    place_.offset += too_long_;
    pending_.erase(0, size);
    searched_ = skipped_ = 0;
    *lines = std::exchange(excerpt_, {});
    return Got::kTooLong;
  }
  // Not more than was asked for, but at least a line.
  size_t cut = 0;
  for (size_t count = 0; count < lines_max && cut < std::min(end, bytes_max); ++count) {
    cut = line_end(cut);
  }
  std::string left = pending_.substr(cut);
  pending_.resize(cut);
  lines->swap(pending_);
  pending_.swap(left);
  searched_ = 0;
  place_.offset += cut;
  Sample(*lines);
  return Got::kLines;
}

Result<uint64_t> FileTail::Print(const std::string& path, size_t size) {
  auto file = OpenFile(path);
  if (!file) return tl::unexpected(file.error());
  const auto look = LookAt(file->fd(), path);
  if (!look) return tl::unexpected(look.error());
  std::string head;
  if (IsGzip(file->fd())) {
    GzipInput input(std::move(*file), path, 0);
    while (head.size() < size && input.Read(size, &head)) continue;
  } else {
    head.resize(size);
    const ssize_t got = ReadAt(file->fd(), head.data(), size, 0);
    head.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  }
  if (head.size() < size) return Fail(Code::kNotFound, path + " is too short");
  return FastHash64(std::string_view(head).substr(0, size));
}

Status FileTail::EndOf(const std::string& path, FilePlace* place) {
  auto file = OpenFile(path);
  if (!file) return tl::unexpected(file.error());
  const auto look = LookAt(file->fd(), path);
  if (!look) return tl::unexpected(look.error());
  if (look->id != place->id) return Fail(Code::kNotFound, path + " is another file now");
  uint64_t end = 0;
  std::string chunk;
  if (IsGzip(file->fd())) {
    GzipInput input(std::move(*file), path, 0);
    for (uint64_t at = 0; input.Read(kChunk, &chunk); chunk.clear()) {
      const size_t feed = chunk.rfind('\n');
      if (feed != std::string::npos) end = at + feed + 1;
      at += chunk.size();
    }
  } else {
    for (uint64_t to = look->size; to > 0 && end == 0;) {
      const uint64_t from = to > kChunk ? to - kChunk : 0;
      chunk.resize(to - from);
      if (ReadAt(file->fd(), chunk.data(), chunk.size(), from) !=
          static_cast<ssize_t>(chunk.size())) {
        return Fail(Code::kUnavailable, "cannot read " + path);
      }
      const size_t feed = chunk.rfind('\n');
      if (feed != std::string::npos) end = from + feed + 1;
      to = from;
    }
  }
  place->offset = end;
  place->sample = static_cast<uint32_t>(std::min<uint64_t>(end, FilePlace::kSampleMax));
  const auto print = Print(path, place->sample);
  if (!print) return tl::unexpected(print.error());
  place->print = *print;
  return {};
}

Result<FileLook> LookAtFile(const std::string& path) {
  struct stat stat {};
  if (::stat(path.c_str(), &stat) != 0) return FailErrno("cannot look at " + path);
  return LookOf(stat, path);
}

}  // namespace spool
