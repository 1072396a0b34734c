// Ids that events get after they were made: hashing many texts at once costs a third of hashing
// them one by one (base/sha256_batch.h), and an id of an audit event is over all of it.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/sha256_batch.h"
#include "spool/event.h"

namespace spool {

// One thread.
class LaterIds {
 public:
  // Stands for IdentityOf(what, fields) until Give; of a long text it is that id itself. A stand-in
  // that ends up in no event does no harm.
  Hash128 Of(std::string_view what, std::initializer_list<std::string_view> fields);
  // The event was put at `place` of those that Give will be given.
  void Kept(const Event& event, size_t place);
  // Enough has gathered to be given.
  bool full() const;
  // Puts the ids into the events that have stand-ins.
  void Give(std::vector<Event>& events);
  // The same for the last time: from here on no event has a stand-in, or the process ends.
  void Finish(std::vector<Event>& events);
  // Whether it stands for an id that is not there yet.
  static bool IsStandIn(const Hash128& id);
  // Forgets what has gathered.
  void Reset();

 private:
  static constexpr size_t kNowhere = ~size_t{0};
  Hash128 StandIn() const;  // of the one noted last

  Sha256Batch batch_;
  std::vector<size_t> places_;  // of each text in the batch
};

}  // namespace spool
