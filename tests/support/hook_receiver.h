// A webhook's other end that remembers what it was sent and answers as badly as it is told.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/support/net_raw_client.h"

namespace spool::testing {

struct HookScript {
  enum class Kind {
    kAnswer,
    kSilence,              // no answer at all
    kClose,                // an end instead of an answer
    kNotHttp,              // some bytes that are no HTTP
    kTruncatedBody,        // less than the length that was said
    kHugeBody,             // ten billion bytes
    kEndlessHeaders,       // header after header
    kHeadWithoutEnd,       // one header whose value does not end
    kContinueFlood,        // 100 Continue without end
    kContinuesThenAnswer,  // a few of them, then the answer
  };
  Kind kind = Kind::kAnswer;
  int status = 200;
  std::string headers;  // further lines, each with its end
  std::string body = "ok";
  // Whether what was posted has arrived although the answer does not say so. Behind a whole 2xx it
  // always has.
  bool take = false;
  size_t body_max = SIZE_MAX;  // above it 413
  uint64_t poison = 0;         // a request gets `status` only when the number of one of its events
                               //   is divisible by this, 200 otherwise; 0: each gets it
};

// Any thread; one of its own for each connection.
class HookReceiver {
 public:
  struct Arrival {
    uint64_t number = 0;  // of the event's data; UINT64_MAX: not one of ours
    uint64_t hash = 0;    // of the event's data
    uint64_t sequence = 0;
    std::chrono::steady_clock::time_point at;
  };

  HookReceiver();
  ~HookReceiver();
  HookReceiver(const HookReceiver&) = delete;
  HookReceiver& operator=(const HookReceiver&) = delete;

  int port() const { return port_; }
  void Set(HookScript script);

  std::vector<Arrival> arrivals() const;  // in the order they came, repeats too
  uint64_t distinct() const;              // of the numbers that arrived
  uint64_t unconfirmed() const;           // events that arrived and were not answered with a 2xx
  uint64_t requests() const;
  // Numbers that were refused for good while alone in a request, with the status.
  std::map<uint64_t, int> refused() const;
  std::map<int, uint64_t> answers() const;  // by status; 0: what was no answer

 private:
  void Accept();
  void Serve(test::RawSocket& socket);
  // False when the connection is over.
  bool Reply(test::RawSocket& socket, std::string_view body);
  bool SendEnding(test::RawSocket& socket, const HookScript& script);

  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable ended_;  // a connection, or all of this
  // Guarded by mutex_.
  bool stopping_ = false;
  std::list<test::RawSocket> sockets_;
  HookScript script_;
  std::vector<Arrival> arrivals_;
  std::map<uint64_t, uint64_t> seen_;
  uint64_t unconfirmed_ = 0;
  uint64_t requests_ = 0;
  std::map<uint64_t, int> refused_;
  std::map<int, uint64_t> answers_;

  std::thread acceptor_;
};

// What an event's data hashes to, whatever its spelling.
uint64_t DataHash(const std::string& data);

}  // namespace spool::testing
