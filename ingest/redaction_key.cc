#include "ingest/redaction_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

#include "base/hash.h"
#include "spool/directory.h"

namespace spool {
namespace {

constexpr size_t kDigits = 2 * sizeof(RedactionKey);

tl::unexpected<Error> Refused(const std::string& what) {
  return Fail(Code::kStorage, what + ": " + std::strerror(errno));
}

Result<RedactionKey> Parse(std::string_view text, const std::string& path) {
  RedactionKey key;
  const auto first = Hash128::FromHex(text.substr(0, kDigits / 2));
  const auto second =
      Hash128::FromHex(text.substr(std::min(text.size(), kDigits / 2), kDigits / 2));
  if (text.size() != kDigits + 1 || text.back() != '\n' || !first || !second) {
    return Fail(Code::kInvalid, path +
                                    " is no key; without it redacted records get other ids. Put "
                                    "the old one back, or remove it to have a new one made");
  }
  std::memcpy(key.data(), first->bytes.data(), kDigits / 4);
  std::memcpy(key.data() + kDigits / 4, second->bytes.data(), kDigits / 4);
  return key;
}

std::string PathIn(const std::string& dir) { return dir + "/REDACTION_KEY"; }

// Empty when there is none.
Result<std::optional<RedactionKey>> Read(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    if (errno == ENOENT) return std::optional<RedactionKey>();
    return Refused("cannot open " + path);
  }
  struct stat about {};
  char text[kDigits + 2];
  const bool told = fstat(fd, &about) == 0;
  const ssize_t size = told ? read(fd, text, sizeof text) : -1;
  if (size < 0) {
    auto refused = Refused("cannot read " + path);
    close(fd);
    return refused;
  }
  close(fd);
  if ((about.st_mode & 077) != 0) {
    return Fail(Code::kInvalid, path + " may be read by others than its owner; chmod 600 it");
  }
  auto key = Parse({text, static_cast<size_t>(size)}, path);
  if (!key) return tl::unexpected(key.error());
  return std::optional<RedactionKey>(*key);
}

Status Write(const std::string& dir, const RedactionKey& key) {
  const std::string text = Hex(key) + "\n";
  // Under another name first: half a key would refuse the next start.
  const std::string fresh = PathIn(dir) + ".new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return Refused("cannot create " + fresh);
  const bool written = fchmod(fd, 0600) == 0 &&
                       write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       fsync(fd) == 0;
  if (!written) {
    auto refused = Refused("cannot write " + fresh);
    close(fd);
    return refused;
  }
  close(fd);
  if (rename(fresh.c_str(), PathIn(dir).c_str()) != 0) return Refused("cannot rename " + fresh);
  return SyncDirectory(dir);
}

}  // namespace

Result<RedactionKey> KeepRedactionKey(const std::string& dir) {
  auto there = Read(PathIn(dir));
  if (!there) return tl::unexpected(there.error());
  if (*there) return **there;
  RedactionKey key;
  FillRandom(key);
  if (const Status kept = Write(dir, key); !kept) return tl::unexpected(kept.error());
  return key;
}

Status CopyRedactionKey(const std::string& from, const std::string& to) {
  const auto key = Read(PathIn(from));
  if (!key) return tl::unexpected(key.error());
  if (!*key) return {};
  const auto there = Read(PathIn(to));
  if (!there) return tl::unexpected(there.error());
  if (*there) return Fail(Code::kConflict, PathIn(to) + " exists already");
  return Write(to, **key);
}

Result<RedactionKey> RedactionKeyOf(std::string_view secret) {
  if (secret.size() < kRedactionSecretMin) {
    return Fail(Code::kInvalid, "the key of redaction is shorter than " +
                                    std::to_string(kRedactionSecretMin) + " bytes");
  }
  return Sha256(secret);
}

}  // namespace spool
