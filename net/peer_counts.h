// How many connections each client has, so that one of them cannot take all places of a listener.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace spool::net {

// A client is an IPv4 address (also one inside IPv6), or an IPv6 network of 64 bits, whose
// addresses all belong to one site. Any thread. No more clients are kept than have connections.
class PeerCounts : public std::enable_shared_from_this<PeerCounts> {
 public:
  using Address = std::array<uint8_t, 16>;  // of IPv6, network order; IPv4 as ::ffff:a.b.c.d

  // One connection's place, given back when destroyed. Empty by default.
  class Place {
   public:
    Place() = default;
    Place(std::shared_ptr<PeerCounts> counts, const Address& peer)
        : counts_(std::move(counts)), peer_(peer) {}
    ~Place() {
      if (counts_) counts_->Leave(peer_);
    }
    Place(Place&&) noexcept = default;
    Place& operator=(Place&& other) noexcept {
      counts_.swap(other.counts_);
      std::swap(peer_, other.peer_);
      return *this;
    }

   private:
    std::shared_ptr<PeerCounts> counts_;
    Address peer_{};
  };

  // At most `most` places for each client.
  explicit PeerCounts(size_t most) : most_(most) {}

  // Empty when the client has as many as it may.
  std::optional<Place> Enter(const Address& address) {
    const Address peer = PeerOf(address);
    {
      const std::lock_guard lock(mutex_);
      size_t& count = counts_[peer];
      if (count >= most_) return std::nullopt;
      ++count;
    }
    return std::optional<Place>(std::in_place, shared_from_this(), peer);
  }

 private:
  static Address PeerOf(const Address& address) {
    constexpr Address kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    Address peer = address;
    const bool v4 = std::equal(address.begin(), address.begin() + 12, kMapped.begin());
    if (!v4) std::fill(peer.begin() + 8, peer.end(), uint8_t{0});
    return peer;
  }
  void Leave(const Address& peer) {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(peer);
    if (--found->second == 0) counts_.erase(found);
  }

  const size_t most_;
  std::mutex mutex_;
  std::map<Address, size_t> counts_;  // guarded by mutex_
};

}  // namespace spool::net
