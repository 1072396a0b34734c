// Content codings of request bodies, undone as the bytes arrive.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace spool::net {

enum class Coding { kIdentity, kGzip, kZstd, kSnappy };

// One body. One thread.
class BodyDecoder {
 public:
  // Who takes the output and pays for the memory. A `false` ends the body.
  class Host {
   public:
    virtual ~Host() = default;
    // The decoder is about to hold `bytes` of memory in all.
    virtual bool AdmitDecoder(size_t bytes) = 0;
    // Decoded bytes, at most 64 KiB; valid during the call. `consumed` counts the encoded bytes
    // that were needed so far.
    virtual bool TakeDecoded(std::string_view piece, size_t consumed) = 0;
  };
  enum class Outcome {
    kOk,
    kCorrupt,   // not the coding it claims to be, or damaged, or followed by something else
    kTooLarge,  // asks for more memory (window) than any body may have: 8 MiB
    kRefused,   // the host said no
  };

  virtual ~BodyDecoder() = default;
  virtual Outcome Feed(std::string_view encoded, Host& host) = 0;
  // True when what was fed so far is whole: nothing is missing at the end.
  virtual bool Complete() const = 0;

  // gzip (several members are one body), zstd (several frames are one body), or snappy's raw
  // format.
  static std::unique_ptr<BodyDecoder> Create(Coding coding);
};

}  // namespace spool::net
