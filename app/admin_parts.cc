#include "app/admin_parts.h"

#include <algorithm>

#include "base/time_text.h"
#include "spool/cursor.h"

namespace spool {
namespace {

constexpr std::string_view kTargetPrefix = "target/";
constexpr Micros kSoon = std::chrono::hours(7 * 24);

void WarnOfTls(const std::string& name, const net::TlsStatus& tls, std::vector<std::string>* out) {
  const std::string whose = "the listener " + name;
  if (!tls.broken.empty()) {
    out->push_back("New TLS files of " + whose +
                   " cannot be used, the old ones go on: " + tls.broken + ".");
  }
  const Micros left = tls.not_after - RealClock().Now();
  if (left > kSoon) return;
  out->push_back("The certificate of " + whose +
                 (left > Micros(0) ? " ends in " + FormatAge(left) + "." : " has expired."));
}

}  // namespace

std::vector<CursorStatus> AbandonedCursors(const AdminParts& parts) {
  // Not by what runs: a target that a reload could not begin needs its place.
  const auto configured = [&](const std::string& name) {
    return std::ranges::any_of(parts.config.targets, [&](const TargetConfig& target) {
      return target.settings.name == name;
    });
  };
  std::vector<CursorStatus> out;
  for (CursorStatus& cursor : parts.journal.Cursors()) {
    if (!cursor.name.starts_with(kTargetPrefix)) continue;
    cursor.name.erase(0, kTargetPrefix.size());
    if (!configured(cursor.name)) out.push_back(std::move(cursor));
  }
  return out;
}

std::vector<std::pair<std::string, net::TlsStatus>> TlsListeners(const AdminParts& parts) {
  std::vector<std::pair<std::string, net::TlsStatus>> out;
  if (parts.admin_tls) {
    if (auto tls = parts.admin_tls()) out.emplace_back("admin", std::move(*tls));
  }
  for (const HttpSource* source : parts.http_sources) {
    if (auto tls = source->tls()) out.emplace_back(source->status().name, std::move(*tls));
  }
  return out;
}

std::vector<std::string> Warnings(const AdminParts& parts) {
  std::vector<std::string> out;
  if (!parts.journal.healthy()) {
    out.push_back("Storing failed: nothing is accepted any more and the process will end.");
  }
  const DiskStatus disk = parts.journal.Disk();
  if (disk.below_reserve) {
    out.push_back("The volume has only " + FormatBytes(disk.free_bytes) +
                  " free, less than the reserve: new events are refused until there is room.");
  } else if (disk.alarm) {
    out.push_back(
        "The volume fills with events that targets still need: " + FormatBytes(disk.room_bytes) +
        " are left before new ones are refused" +
        (disk.full_in ? ", in " + FormatAge(*disk.full_in) + " if it goes on like that." : "."));
  }
  if (const Micros offset = parts.journal.ClockOffset(); offset != Micros(0)) {
    out.push_back("The wall clock has jumped by " +
                  std::to_string(std::chrono::duration_cast<std::chrono::seconds>(offset).count()) +
                  " s and is not followed.");
  }
  if (const ScrubStatus scrub = parts.journal.Scrub(); scrub.damaged > 0) {
    out.push_back("Stored events are damaged in " + std::to_string(scrub.damaged) +
                  " places, last: " + scrub.last_damage);
  }
  for (const StreamStatus& stream : parts.journal.Streams()) {
    if (!stream.full) {
      if (stream.needed_bytes == 0 || stream.needed_bytes < stream.bytes_max / 5 * 4) continue;
      if (stream.bytes_max == 0) continue;
      out.push_back("Targets still need " +
                    std::to_string(stream.needed_bytes * 100 / stream.bytes_max) +
                    " % of what the stream " + stream.name +
                    (stream.when_full == WhenFull::kDropOldest
                         ? " may hold: its oldest events will be dropped."
                         : " may hold: new events will be refused."));
      continue;
    }
    out.push_back("The stream " + stream.name +
                  " is full of events that targets still need: new ones are refused.");
  }
  for (const auto& [name, tls] : TlsListeners(parts)) WarnOfTls(name, tls, &out);
  for (const TargetConfig& target : parts.config.targets) {
    if (parts.targets.contains(target.settings.name)) continue;
    out.push_back("The target " + target.settings.name +
                  " is configured and delivers nothing, since the last reload could not begin it; "
                  "another reload tries again.");
  }
  for (const CursorStatus& cursor : AbandonedCursors(parts)) {
    out.push_back("The target " + cursor.name + " is not configured any more and its place keeps " +
                  std::to_string(cursor.account.pending) +
                  " events from retention; DELETE /api/v1/targets/" + cursor.name +
                  " gives them up.");
  }
  return out;
}

}  // namespace spool
