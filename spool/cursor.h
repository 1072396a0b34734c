// A target's place in the journal and its account: one number, moved only forward.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "spool/dead_letters.h"
#include "spool/sequence.h"

namespace spool {

// accepted = delivered + filtered + dead_lettered + evicted + skipped + pending, always.
// Exact, also after a crash: written in the same batch as the cursor.
struct Account {
  uint64_t accepted = 0;       // events of its streams since the cursor's start
  uint64_t delivered = 0;      // the target said yes (duplicates at the target included)
  uint64_t filtered = 0;       // no route wanted it
  uint64_t dead_lettered = 0;  // in the dead letters, or dropped from them by an operator
  uint64_t evicted = 0;        // retention removed it before it was settled
  uint64_t skipped = 0;        // an operator's skip passed over it
  uint64_t pending = 0;        // lies between the cursor and the end
  uint64_t duplicates = 0;     // of delivered: the target had it already
  uint64_t retries = 0;        // attempts that had to be repeated, in events
  uint64_t settled() const { return delivered + filtered + dead_lettered + evicted + skipped; }
};

struct CursorStatus {
  std::string name;
  Sequence next;
  bool pins = true;
  bool open = false;
  Account account;
};

// What happened to a contiguous run of events from the cursor on.
struct Settlement {
  Sequence next;  // the new place; everything of the cursor's streams below it is settled
  // Per stream that moved: the ordinal after its last settled event.
  struct Move {
    StreamId stream;
    uint64_t ordinal;
  };
  std::vector<Move> moves;
  uint64_t delivered = 0;
  uint64_t filtered = 0;
  uint64_t evicted = 0;
  uint64_t duplicates = 0;
  uint64_t retries = 0;
  std::vector<DeadLetter> dead;
};

// One thread at a time (status reads come from the journal). Must not outlive the journal.
// A power cut may undo the last advances, never invent one.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual const std::string& name() const = 0;
  virtual StreamSet streams() const = 0;
  virtual Sequence next() const = 0;
  // The ordinal of `stream` from which this cursor has not settled.
  virtual uint64_t OrdinalOf(StreamId stream) const = 0;

  // One atomic write: the place, the account and the dead letters. Asserts that the moves add up
  // to delivered + filtered + evicted + dead. kStorage is final.
  virtual Status Advance(const Settlement& settlement) = 0;

  // Moves on over sequences that hold nothing of this cursor's streams; in memory only.
  virtual void Observe(Sequence next) = 0;

  // An operator's skip: everything below `to` that is not settled counts as skipped, or as evicted
  // if retention had taken it before; a marker says what. Synced. kInvalid if `to` is behind the
  // cursor or beyond the end.
  virtual Status SkipTo(Sequence to, std::string_view cause) = 0;

  // A dead letter's retry ended well: removes it and moves one from dead_lettered to delivered
  // (or, for one born in a replay, removes it only). kNotFound if it is gone.
  virtual Status Redeem(const DeadLetterId& id) = 0;

  virtual Account account() const = 0;
};

}  // namespace spool
