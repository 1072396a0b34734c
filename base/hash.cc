#include "base/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace spool {
namespace {

// Fetching the digest is the slow part of OpenSSL 3, so each thread does it once.
class Sha256Hasher {
 public:
  Sha256Hasher() : md_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {
    SPOOL_ASSERT(md_ != nullptr && context_ != nullptr);
  }
  ~Sha256Hasher() {
    EVP_MD_CTX_free(context_);
    EVP_MD_free(md_);
  }
  void Begin() { SPOOL_ASSERT(EVP_DigestInit_ex2(context_, md_, nullptr) == 1); }
  void Add(std::string_view text) {
    SPOOL_ASSERT(EVP_DigestUpdate(context_, text.data(), text.size()) == 1);
  }
  Digest256 Whole() {
    Digest256 digest;
    unsigned length = 0;
    SPOOL_ASSERT(EVP_DigestFinal_ex(context_, digest.data(), &length) == 1 &&
                 length == digest.size());
    return digest;
  }
  Hash128 Prefix() {
    const Digest256 digest = Whole();
    Hash128 hash;
    std::memcpy(hash.bytes.data(), digest.data(), hash.bytes.size());
    return hash;
  }

 private:
  EVP_MD* md_;
  EVP_MD_CTX* context_;
};

Sha256Hasher& ThisThreads() {
  thread_local Sha256Hasher sha;
  return sha;
}
// Another, so that a whole text may be hashed between pieces.
Sha256Hasher& ThisThreadsPieces() {
  thread_local Sha256Hasher sha;
  return sha;
}

Hash128 FromXxh(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  Hash128 result;
  std::memcpy(result.bytes.data(), canonical.digest, sizeof canonical.digest);
  return result;
}

EVP_MD_CTX* Context(void* context) { return static_cast<EVP_MD_CTX*>(context); }

// What a sum of HMAC begins with: one block, the key mixed with `pad`.
EVP_MD_CTX* Padded(std::span<const uint8_t, 32> key, uint8_t pad) {
  std::array<uint8_t, 64> block;
  block.fill(pad);
  for (size_t i = 0; i < key.size(); ++i) block[i] ^= key[i];
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  SPOOL_ASSERT(context != nullptr);
  SPOOL_ASSERT(EVP_DigestInit_ex2(context, EVP_sha256(), nullptr) == 1);
  SPOOL_ASSERT(EVP_DigestUpdate(context, block.data(), block.size()) == 1);
  OPENSSL_cleanse(block.data(), block.size());
  return context;
}

std::string HexOf(std::span<const uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text(2 * bytes.size(), '0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    text[2 * i] = kDigits[bytes[i] >> 4];
    text[2 * i + 1] = kDigits[bytes[i] & 15];
  }
  return text;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string Hash128::Hex() const { return HexOf(bytes); }
std::string Hex(const Digest256& digest) { return HexOf(digest); }

HmacSha256::HmacSha256(std::span<const uint8_t, 32> key)
    : inner_(Padded(key, 0x36)), outer_(Padded(key, 0x5C)), work_(EVP_MD_CTX_new()) {
  SPOOL_ASSERT(work_ != nullptr);
  Reset();
}

HmacSha256::~HmacSha256() {
  for (void* context : {inner_, outer_, work_}) EVP_MD_CTX_free(Context(context));
}

void HmacSha256::Reset() { SPOOL_ASSERT(EVP_MD_CTX_copy_ex(Context(work_), Context(inner_)) == 1); }

void HmacSha256::Add(std::string_view piece) {
  SPOOL_ASSERT(EVP_DigestUpdate(Context(work_), piece.data(), piece.size()) == 1);
}

Digest256 HmacSha256::Whole() {
  Digest256 digest;
  unsigned length = 0;
  SPOOL_ASSERT(EVP_DigestFinal_ex(Context(work_), digest.data(), &length) == 1);
  SPOOL_ASSERT(EVP_MD_CTX_copy_ex(Context(work_), Context(outer_)) == 1);
  SPOOL_ASSERT(EVP_DigestUpdate(Context(work_), digest.data(), digest.size()) == 1);
  SPOOL_ASSERT(EVP_DigestFinal_ex(Context(work_), digest.data(), &length) == 1);
  return digest;
}

std::optional<Hash128> Hash128::FromHex(std::string_view hex) {
  if (hex.size() != 32) return std::nullopt;
  Hash128 hash;
  for (size_t i = 0; i < 16; ++i) {
    const int high = HexDigit(hex[2 * i]);
    const int low = HexDigit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    hash.bytes[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return hash;
}

Digest256 Sha256(std::string_view text) {
  Sha256Hasher& sha = ThisThreads();
  sha.Begin();
  sha.Add(text);
  return sha.Whole();
}

bool SameDigest(const Digest256& a, const Digest256& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Hash128 Sha256Prefix(std::string_view text) {
  Sha256Hasher& sha = ThisThreads();
  sha.Begin();
  sha.Add(text);
  return sha.Prefix();
}

void Sha256Pieces::Reset() {
  size_ = 0;
  ThisThreadsPieces().Begin();
}

void Sha256Pieces::Add(std::string_view piece) {
  if (piece.empty()) return;  // it may have no address
  if (piece.size() > gathered_.size() - size_) Flush();
  if (piece.size() > gathered_.size()) return ThisThreadsPieces().Add(piece);
  std::memcpy(gathered_.data() + size_, piece.data(), piece.size());
  size_ += piece.size();
}

Hash128 Sha256Pieces::Prefix() {
  Flush();
  return ThisThreadsPieces().Prefix();
}

void Sha256Pieces::Flush() {
  if (size_ > 0) ThisThreadsPieces().Add({gathered_.data(), std::exchange(size_, 0)});
}

Hash128 FastHash128(std::string_view bytes) {
  return FromXxh(XXH3_128bits(bytes.data(), bytes.size()));
}

uint64_t FastHash64(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

FastHasher::FastHasher() : state_(XXH3_createState()) {
  SPOOL_ASSERT(state_ != nullptr);
  Reset();
}
FastHasher::~FastHasher() { XXH3_freeState(static_cast<XXH3_state_t*>(state_)); }
void FastHasher::Reset() { XXH3_128bits_reset(static_cast<XXH3_state_t*>(state_)); }
void FastHasher::Add(std::string_view bytes) {
  XXH3_128bits_update(static_cast<XXH3_state_t*>(state_), bytes.data(), bytes.size());
}
Hash128 FastHasher::Digest() const {
  return FromXxh(XXH3_128bits_digest(static_cast<const XXH3_state_t*>(state_)));
}

void FillRandom(std::span<uint8_t> out) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = getrandom(out.data() + done, out.size() - done, 0);
    SPOOL_ASSERT(n > 0 || errno == EINTR);
    if (n > 0) done += static_cast<size_t>(n);
  }
}

Hash128 RandomHash128() {
  Hash128 hash;
  FillRandom(hash.bytes);
  return hash;
}

uint64_t RandomUint64() {
  uint64_t value = 0;
  FillRandom({reinterpret_cast<uint8_t*>(&value), sizeof value});
  return value;
}

}  // namespace spool
