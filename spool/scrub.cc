#include "spool/scrub.h"

#include "base/log.h"
#include "base/thread.h"
#include "spool/codec.h"
#include "spool/rescue.h"

namespace spool {
namespace {

constexpr uint64_t kSliceBytes = uint64_t{4} << 20;  // read without a pause, under one iterator
constexpr std::chrono::minutes kBetweenPasses{10};

}  // namespace

Scrubber::Scrubber(const JournalState& state) : state_(state) {
  if (state.options.scrub_bytes_per_second == 0) return;
  thread_ = StartThread("scrub", [this](std::stop_token stop) {
    for (;;) {
      {
        std::unique_lock lock(wait_mutex_);
        wait_.wait_for(lock, stop, kBetweenPasses, [&] { return stop.stop_requested(); });
      }
      if (stop.stop_requested() || state_.failed) return;
      if (auto done = Pass(&stop); !done) {
        log::Error("The scrub cannot read the journal.", {{"detail", done.error().message}});
      }
    }
  });
}

Scrubber::~Scrubber() {
  thread_.request_stop();
  wait_.notify_all();
}

ScrubStatus Scrubber::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

Status Scrubber::RunOnce() { return Pass(nullptr); }

Status Scrubber::Pass(const std::stop_token* paced) {
  const std::lock_guard pass_lock(pass_);
  ScrubStatus pass;
  Status first;
  for (const auto& stream : state_.streams) {
    auto read = Stream(*stream, paced, pass);
    if (first && !read) first = std::move(read);
    if (paced != nullptr && paced->stop_requested()) return {};
  }
  for (const auto& [family, name] :
       {std::pair(state_.meta, "records"), std::pair(state_.dead, "dead letters")}) {
    Own(family, name, paced, pass);
    if (paced != nullptr && paced->stop_requested()) return {};
  }
  pass.finished = state_.options.clock->Now();
  const std::lock_guard lock(mutex_);
  pass.passes = status_.passes + 1;
  status_ = pass;
  return first;
}

Status Scrubber::Stream(const StreamState& stream, const std::stop_token* paced,
                        ScrubStatus& pass) {
  std::optional<ChunkAuditor> auditor;
  Sequence at;
  for (;;) {
    Trim trim;
    Sequence end;
    {
      const std::lock_guard lock(state_.mutex);
      trim = stream.trim;
      end = stream.end;
    }
    if (!auditor || at < trim.sequence) {  // retention went past
      auditor.emplace(stream.options.name, trim.sequence, trim.ordinal, trim.hash);
      at = trim.sequence;
    }
    if (at >= end) return {};
    uint64_t slice = 0;
    std::optional<Damage> damage;
    bool any = false;
    {
      const auto it = state_.store->NewIterator(stream.family);
      it->Seek(codec::SequenceKey(at.value));
      for (; it->Valid() && slice < kSliceBytes && !damage; it->Next()) {
        const Sequence key{codec::SequenceOfKey(it->key())};
        if (key >= end) break;
        any = true;
        damage = auditor->Check(key, it->value(), true);
        slice += it->value().size();
        at = std::max(auditor->end(), key + 1);
      }
      if (auto status = it->status(); !status) {
        damage = Damage{stream.options.name, {at, end}, 0, {}, status.error().message};
        // On behind the block that cannot be read.
        const auto on = ReadOnBehind(*state_.store, stream.family,
                                     codec::SequenceKey(at.value > 0 ? at.value - 1 : 0));
        const bool more = on != nullptr && on->Valid();
        const auto next = more ? ParseChunk(on->value(), true) : tl::unexpected(status.error());
        at = end;
        if (next && next->header.first < end) {
          at = next->header.first;
          damage->range.end = at;
          damage->events =
              next->header.ordinal - std::min(next->header.ordinal, auditor->end_ordinal());
          auditor->PassOver(at, next->header.ordinal);
        }
      }
    }
    if (!any && !damage) {
      damage = Damage{stream.options.name, {at, end}, 0, {}, "events are missing at the end"};
      at = end;
    }
    pass.bytes += slice;
    if (damage) {
      {  // not damage if retention took it meanwhile
        const std::lock_guard lock(state_.mutex);
        if (stream.trim.sequence != trim.sequence) {
          auditor.reset();
          continue;
        }
      }
      Tell(stream, std::move(*damage), pass);
    }
    if (paced != nullptr) {
      Pace(*paced, slice);
      if (paced->stop_requested()) return {};
    }
  }
}

void Scrubber::Own(FamilyId family, std::string_view name, const std::stop_token* paced,
                   ScrubStatus& pass) {
  std::string from;  // what is read next
  std::string last;  // was read
  const auto note = [&](const std::string& what) {
    ++pass.damaged;
    const std::string file = state_.store->FileOf(family, last);
    pass.last_damage = "the journal's own " + std::string(name) +
                       (file.empty() ? "" : ", file " + file) + ": " + what;
    log::Error("Records of the journal's own are damaged. Nothing was changed.",
               {{"records", name}, {"file", file}, {"detail", what}});
  };
  for (bool more = true; more;) {
    uint64_t slice = 0;
    auto it = state_.store->NewIterator(family);
    for (it->Seek(from); it->Valid() && slice < kSliceBytes; it->Next()) {
      last = it->key();
      slice += it->key().size() + it->value().size();
      if (family.value != state_.dead.value) continue;
      if (auto letter = DecodeDeadLetter(it->value()); !letter) note(letter.error().message);
    }
    if (auto status = it->status(); !status) {
      note(status.error().message);
      it = ReadOnBehind(*state_.store, family, last);
    }
    more = it != nullptr && it->Valid();
    if (more) from = it->key();
    it.reset();
    pass.bytes += slice;
    if (paced != nullptr) {
      Pace(*paced, slice);
      if (paced->stop_requested()) return;
    }
  }
}

void Scrubber::Tell(const StreamState& stream, Damage damage, ScrubStatus& pass) {
  ++pass.damaged;
  damage.file = state_.store->FileOf(stream.family, codec::SequenceKey(damage.range.first.value));
  pass.last_damage = "stream '" + damage.stream + "', sequence " + ToText(damage.range.first) +
                     (damage.file.empty() ? "" : ", file " + damage.file) + ": " + damage.what;
  log::Error("Stored events are damaged. Nothing was changed; targets that need them will stop.",
             {{"stream", damage.stream},
              {"first", ToText(damage.range.first)},
              {"end", ToText(damage.range.end)},
              {"file", damage.file},
              {"detail", damage.what}});
}

void Scrubber::Pace(const std::stop_token& stop, uint64_t bytes) {
  const Micros pause(bytes * 1'000'000 / state_.options.scrub_bytes_per_second);
  std::unique_lock lock(wait_mutex_);
  wait_.wait_for(lock, stop, pause, [&] { return stop.stop_requested(); });
}

}  // namespace spool
