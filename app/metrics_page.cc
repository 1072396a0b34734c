#include "app/metrics_page.h"

#include <algorithm>
#include <array>
#include <map>
#include <span>

#include "app/json_views.h"
#include "app/source_watch.h"
#include "base/metrics.h"
#include "base/secret_times.h"
#include "spool/cursor.h"
#include "spool/dead_letters.h"
#include "spool/journal_errors.h"

namespace spool {
namespace {

double Seconds(uint64_t micros) { return static_cast<double>(micros) / 1e6; }
double Seconds(SystemTime time) { return static_cast<double>(ToMicros(time)) / 1e6; }
double Seconds(const std::optional<SystemTime>& time) { return time ? Seconds(*time) : 0; }
double Real(uint64_t count) { return static_cast<double>(count); }

void WriteBuild(MetricsWriter& out, const AdminContext& context) {
  out.Gauge("spool_build_info", "Always 1; the version is its label.", {{"version", SPOOL_VERSION}},
            1);
  out.Gauge("spool_ready", "1 while the service takes and passes on events.", {},
            context.readiness().ready ? 1 : 0);
  if (!context.reload_state) return;
  const ReloadState config = context.reload_state();
  out.Gauge("spool_config_last_reload_successful",
            "0 when the configuration was last read again and not taken.", {},
            config.last_ok ? 1 : 0);
  out.Gauge("spool_config_last_reload_success_timestamp_seconds",
            "When the configuration was last read and taken, the start included.", {},
            Seconds(config.last_success));
  out.Gauge("spool_config_revision", "Counts the configurations in force since the start.", {},
            Real(config.revision));
}

// Also the streams that got nothing yet, or the first events of one would not show as an increase.
void WriteIngestEvents(MetricsWriter& out, const Journal& journal, const SourceStatus& source) {
  for (const StreamStatus& stream : journal.Streams()) {
    StreamCounts counts;
    for (const StreamCounts& of : source.streams) {
      if (of.stream == stream.id) counts = of;
    }
    const auto write = [&](const char* result, uint64_t count, bool expected) {
      if (count == 0 && !expected) return;
      out.Counter("spool_ingest_events_total",
                  "Events of requests that were answered, by stream and what became of them.",
                  {{"source", source.name}, {"stream", stream.name}, {"result", result}},
                  Real(count));
    };
    const bool taken = stream.configured && !stream.special;
    write("stored", counts.stored, taken);
    write("duplicate", counts.duplicates, taken);
    write("quarantined", counts.quarantined, stream.name == "quarantine");
  }
}

// Of sources that listen for HTTP.
void WriteRequests(MetricsWriter& out, const HttpSource& source, const std::string& name) {
  const net::HttpServerStats server = source.server_stats();
  for (const auto& [code, count] : server.answers) {
    out.Counter("spool_ingest_requests_total", "Requests that were answered, by status.",
                {{"source", name}, {"code", std::to_string(code)}}, Real(count));
  }
  if (!server.seconds.counts.empty()) {
    out.Histogram("spool_ingest_request_duration_seconds",
                  "From a whole request to its answer, the commit included.", {{"source", name}},
                  server.seconds);
  }
  out.Gauge("spool_ingest_in_flight_bytes", "Bytes of request bodies in memory.",
            {{"source", name}}, Real(server.in_flight_bytes));
  out.Gauge("spool_ingest_connections", "Connections that are open.", {{"source", name}},
            Real(server.connections));
}

// Of sources that fetch.
void WriteFetching(MetricsWriter& out, const SourceStatus& status) {
  out.Counter("spool_source_batches_total", "Batches that a source fetched and that are stored.",
              {{"source", status.name}}, Real(status.requests));
  if (status.behind_bytes) {
    out.Gauge("spool_source_behind_bytes", "Bytes that are there and not fetched yet; of files.",
              {{"source", status.name}}, Real(*status.behind_bytes));
  }
  if (status.behind_messages) {
    out.Gauge("spool_source_behind_messages",
              "Messages that are there and not fetched yet; of a bus.", {{"source", status.name}},
              Real(*status.behind_messages));
  }
  out.Gauge("spool_source_last_error_timestamp_seconds",
            "When something was last wrong with fetching; 0: never since the start.",
            {{"source", status.name}}, Seconds(status.last_error_at));
}

void WriteIngest(MetricsWriter& out, const AdminParts& parts) {
  const auto gaps = parts.gaps.Counts();
  for (const Source* source : parts.sources) {
    const SourceStatus status = source->status();
    const auto labels = [&](const char* key = nullptr, const char* value = nullptr) {
      MetricLabels out{{"source", status.name}};
      if (key != nullptr) out.emplace_back(key, value);
      return out;
    };
    out.Gauge("spool_source_up", "1 while the source takes events.", labels(),
              status.state == "up" ? 1 : 0);
    const std::span<const std::string_view> causes =
        source->keeps_place() ? source->own_gaps()
                              : std::span<const std::string_view>(SourceWatch::kCauses);
    for (const std::string_view cause : causes) {
      const auto count = gaps.find({status.name, std::string(cause)});
      out.Counter("spool_source_gaps_total", "Times in which the source took nothing, by why.",
                  {{"source", status.name}, {"reason", std::string(cause)}},
                  count == gaps.end() ? 0 : Real(count->second));
    }
    out.Gauge("spool_source_last_event_timestamp_seconds",
              "When the source last stored an event; 0 before the first.", labels(),
              Seconds(status.last_event));
    const auto http = std::find(parts.http_sources.begin(), parts.http_sources.end(), source);
    if (http != parts.http_sources.end()) {
      WriteRequests(out, **http, status.name);
    } else {
      WriteFetching(out, status);
    }
    WriteIngestEvents(out, parts.journal, status);
    out.Counter("spool_ingest_lost_total",
                "Admission requests that were let pass and could not be stored.", labels(),
                Real(status.lost));
    out.Counter("spool_ingest_bytes_total", "Bytes of request bodies after decompression.",
                labels(), Real(status.bytes));
    const Refusals& refused = status.refused;
    const std::array<std::pair<const char*, uint64_t>, 8> reasons{
        {{"malformed", refused.malformed},
         {"too_large", refused.too_large},
         {"auth", refused.auth},
         {"quota", refused.quota},
         {"full", refused.full},
         {"overload", refused.overload},
         {"unavailable", refused.unavailable},
         {"connections", refused.connections}}};
    for (const auto& [reason, count] : reasons) {
      out.Counter("spool_ingest_rejected_total",
                  "Requests that were refused, and connections that were closed, by why.",
                  labels("reason", reason), Real(count));
    }
    const RedactionCounters& redacted = source->redacted();
    for (size_t i = 0; i < kRedactionRules; ++i) {
      out.Counter("spool_redaction_hidden_total",
                  "Values, parts of texts and bodies that were hidden before storing, by rule.",
                  labels("rule", std::string(kRedactionRuleNames[i]).c_str()),
                  Real(redacted.hidden[i]));
    }
    out.Counter("spool_redaction_fallback_total",
                "Records of which a body or text was dropped whole, because it could not be read "
                "well enough to decide.",
                labels(), Real(redacted.fallback));
  }
}

void WriteTls(MetricsWriter& out, const AdminParts& parts) {
  for (const auto& [listener, tls] : TlsListeners(parts)) {
    const auto labels = [&name = listener](const char* key = nullptr, const char* value = nullptr) {
      MetricLabels out{{"listener", name}};
      if (key != nullptr) out.emplace_back(key, value);
      return out;
    };
    const char* handshakes = "TLS handshakes that ended, by how.";
    const std::array<std::pair<const char*, uint64_t>, 7> results{
        {{"ok", tls.handshakes},
         {"no_certificate", tls.no_certificate},
         {"bad_certificate", tls.bad_certificate},
         {"refused_by_client", tls.refused},
         {"malformed", tls.malformed},
         {"timeout", tls.timed_out},
         {"left", tls.left}}};
    for (const auto& [result, count] : results) {
      out.Counter("spool_tls_handshakes_total", handshakes, labels("result", result), Real(count));
    }
    const char* reloads = "How often changed TLS files were taken, or could not be used.";
    out.Counter("spool_tls_reloads_total", reloads, labels("result", "ok"), Real(tls.reloads));
    out.Counter("spool_tls_reloads_total", reloads, labels("result", "failed"),
                Real(tls.reload_failures));
    out.Gauge("spool_tls_files_broken",
              "1 while the TLS files as they are cannot be used and older ones are served.",
              labels(), tls.broken.empty() ? 0 : 1);
    out.Gauge("spool_tls_certificate_expiry_timestamp_seconds",
              "When the certificate that is served ends.", labels(), Seconds(tls.not_after));
  }
}

void WriteJournal(MetricsWriter& out, const AdminParts& parts) {
  const Journal::Counters counters = parts.journal.counters();
  const SequenceRange stored = parts.journal.stored();
  out.Gauge("spool_journal_read_only", "1 after a storage error: nothing is accepted any more.", {},
            parts.journal.healthy() ? 0 : 1);
  const auto errors = JournalErrors();
  for (size_t i = 0; i < errors.size(); ++i) {
    out.Counter(
        "spool_journal_errors_total",
        "What the journal could not do; after all but reads and snapshots the process ends.",
        {{"op", std::string(kJournalOpNames[i])}}, Real(errors[i]));
  }
  out.Counter("spool_journal_commits_total", "Group commits, each with one sync.", {},
              Real(counters.commits));
  out.Counter("spool_journal_commit_events_total", "Events stored by group commits.", {},
              Real(counters.commit_events));
  out.Histogram("spool_journal_commit_duration_seconds",
                "Of a group commit, from its first event to its being durable and visible.", {},
                counters.commit_seconds);
  out.Histogram("spool_journal_fsync_duration_seconds", "Of a commit, the synced write.", {},
                counters.sync_seconds);
  out.Histogram("spool_journal_commit_events", "Events that share a commit.", {},
                counters.commit_sizes);
  out.Counter("spool_journal_duplicates_total", "Repeats that were not stored again.", {},
              Real(counters.duplicates));
  out.Counter("spool_journal_raw_bytes_total", "Bytes of events before compression.", {},
              Real(counters.raw_bytes));
  out.Counter("spool_journal_stored_bytes_total", "Bytes of events after compression.", {},
              Real(counters.stored_bytes));
  out.Gauge("spool_journal_queued_bytes", "Bytes of events that wait to be committed.", {},
            Real(counters.queued_bytes));
  out.Gauge("spool_journal_first_sequence", "The first sequence that is kept.", {},
            Real(stored.first.value));
  out.Gauge("spool_journal_end_sequence", "The next sequence to be given.", {},
            Real(stored.end.value));
}

void WriteStreams(MetricsWriter& out, const AdminParts& parts) {
  for (const StreamStatus& stream : parts.journal.Streams()) {
    const MetricLabels labels{{"stream", stream.name}};
    out.Gauge("spool_stream_events", "Events that are kept.", labels, Real(stream.events));
    out.Gauge("spool_stream_bytes", "Bytes on disk, compressed.", labels, Real(stream.bytes));
    out.Gauge("spool_stream_needed_bytes", "Of these, what some target still needs.", labels,
              Real(stream.needed_bytes));
    out.Gauge("spool_stream_quota_bytes", "The stream's own limit in bytes on disk; 0: none.",
              labels, Real(stream.bytes_max));
    out.Gauge("spool_stream_oldest_timestamp_seconds",
              "When the oldest kept event was accepted; 0 when there is none.", labels,
              Seconds(stream.oldest));
    out.Gauge("spool_stream_newest_timestamp_seconds",
              "When the newest kept event was accepted; 0 when there is none.", labels,
              Seconds(stream.newest));
    out.Gauge("spool_stream_full", "1 while new events of the stream are refused.", labels,
              stream.full ? 1 : 0);
    out.Gauge("spool_stream_head_sequence", "The sequence after the newest event.", labels,
              Real(stream.end.value));
    out.Counter("spool_stream_stored_events_total",
                "Events that were ever stored in the stream, from every source.", labels,
                Real(stream.events + stream.evicted));
    out.Counter("spool_stream_removed_events_total", "Events that retention ever removed.", labels,
                Real(stream.evicted));
    for (size_t why = 0; why < Expired::kCauses; ++why) {
      const auto count = [&](const char* delivered, uint64_t value) {
        MetricLabels all = labels;
        all.emplace_back("reason", Expired::kNames[why]);
        all.emplace_back("delivered", delivered);
        out.Counter("spool_stream_expired_events_total",
                    "Events that retention removed since the start, by why; delivered=\"false\": "
                    "before every target had them.",
                    std::move(all), Real(value));
      };
      count("true", stream.expired.delivered[why]);
      count("false", stream.expired.undelivered[why]);
    }
  }
}

void WriteStore(MetricsWriter& out, const AdminParts& parts) {
  const StoreStatus store = parts.journal.Store();
  out.Gauge("spool_rocksdb_write_stopped", "1 while writes wait for the database's own work.", {},
            store.stopped ? 1 : 0);
  out.Gauge("spool_rocksdb_delayed_write_bytes_per_second",
            "What writes are slowed down to; 0 when they are not.", {},
            Real(store.delayed_write_rate));
  out.Gauge("spool_rocksdb_memtable_bytes", "Bytes that are in no table yet.", {},
            Real(store.memtable_bytes));
  out.Gauge("spool_rocksdb_pending_compaction_bytes", "Bytes that wait to be rewritten.", {},
            Real(store.pending_compaction_bytes));
  out.Gauge("spool_rocksdb_table_bytes", "Bytes of tables.", {}, Real(store.table_bytes));
  out.Gauge("spool_rocksdb_block_cache_bytes", "Bytes of tables that are kept in memory.", {},
            Real(store.block_cache_bytes));
  out.Gauge("spool_rocksdb_running_compactions", "Compactions under way.", {},
            Real(store.running_compactions));
  out.Gauge("spool_rocksdb_running_flushes", "Flushes under way.", {}, Real(store.running_flushes));
}

// What the forwarder did since the start.
void WriteAttempts(MetricsWriter& out, const std::string& target, const PumpCounters& counters) {
  const auto labels = [&](const char* key = nullptr, std::string_view value = {}) {
    MetricLabels out{{"target", target}};
    if (key != nullptr) out.emplace_back(key, value);
    return out;
  };
  for (size_t i = 0; i < PumpCounters::kAttempts; ++i) {
    out.Counter("spool_target_attempts_total",
                "Deliveries of batches, by the gravest of what became of their events.",
                labels("outcome", PumpCounters::kAttemptNames[i]), Real(counters.attempts[i]));
  }
  for (size_t i = 0; i < PumpCounters::kBurials; ++i) {
    out.Counter("spool_dlq_added_total", "Events that became dead letters, by why.",
                labels("reason", PumpCounters::kBurialNames[i]), Real(counters.buried[i]));
  }
  const char* redriven = "Dead letters that were sent again, by what became of them.";
  out.Counter("spool_dlq_redriven_total", redriven, labels("result", "delivered"),
              Real(counters.redriven));
  out.Counter("spool_dlq_redriven_total", redriven, labels("result", "failed"),
              Real(counters.redrive_failures));
  out.Gauge("spool_target_in_flight_events", "Events of the delivery that is under way.", labels(),
            Real(counters.in_flight));
  out.Counter("spool_target_busy_seconds_total", "Time spent in deliveries.", labels(),
              counters.attempt_seconds.sum);
  out.Histogram("spool_target_request_duration_seconds", "Of a delivery of one batch.", labels(),
                counters.attempt_seconds);
  out.Histogram("spool_target_delivery_latency_seconds",
                "From an event's acceptance to the target's yes.", labels(),
                counters.latency_seconds);
}

void WriteTarget(MetricsWriter& out, const TargetStatus& target) {
  const Account& account = target.account;
  const auto labels = [&](const char* key = nullptr, std::string_view value = {}) {
    MetricLabels out{{"target", target.name}};
    if (key != nullptr) out.emplace_back(key, value);
    return out;
  };
  out.Gauge("spool_target_lag_events", "Events that the target has not had yet.", labels(),
            Real(account.pending));
  if (account.pending == 0 || target.oldest_pending) {
    out.Gauge(
        "spool_target_oldest_unacked_timestamp_seconds",
        "When the oldest event that waits was accepted; 0 when nothing waits, absent when the "
        "journal cannot be read there.",
        labels(), account.pending == 0 ? 0 : Seconds(target.oldest_pending));
  }
  const char* settled = "Events that were settled, by how.";
  const std::array<std::pair<const char*, uint64_t>, 5> outcomes{
      {{"delivered", account.delivered - std::min(account.delivered, account.duplicates)},
       {"duplicate", account.duplicates},
       {"filtered", account.filtered},
       {"expired", account.evicted},
       {"skipped", account.skipped}}};
  for (const auto& [outcome, count] : outcomes) {
    out.Counter("spool_target_events_total", settled, labels("outcome", outcome), Real(count));
  }
  // A gauge: a dead letter whose retry arrives counts as delivered instead.
  out.Gauge("spool_target_dead_lettered_events",
            "Events that are in the dead letters or were dropped from them.", labels(),
            Real(account.dead_lettered));
  out.Gauge("spool_target_accepted_events", "Events of the target's streams since its start.",
            labels(), Real(account.accepted));
  out.Gauge("spool_ledger_difference",
            "Accepted less delivered, filtered, dead-lettered, evicted, skipped and pending: "
            "anything but 0 is a loss.",
            labels(), Real(account.accepted) - Real(account.settled() + account.pending));
  out.Counter("spool_target_retries_total", "Events whose delivery had to be repeated.", labels(),
              Real(account.retries));
  for (const TargetState state :
       {TargetState::kOk, TargetState::kBackoff, TargetState::kHold, TargetState::kPaused}) {
    out.Gauge("spool_target_state", "1 for the state that the target is in.",
              labels("state", TargetStateName(state)), target.pump.state == state ? 1 : 0);
  }
  out.Gauge("spool_target_last_success_timestamp_seconds",
            "When the target last took something; 0 if it has not since the start.", labels(),
            Seconds(target.pump.last_success_at));
}

void WriteDeadLetters(MetricsWriter& out, const AdminParts& parts) {
  std::map<std::string, DeadLetterTotals> totals;
  for (const auto& [name, forwarder] : parts.targets) totals[name].target = name;
  for (DeadLetterTotals& total : parts.journal.dead_letters().Totals()) {
    totals[total.target] = total;
  }
  for (const auto& [target, total] : totals) {
    const MetricLabels labels{{"target", target}};
    out.Gauge("spool_dlq_events", "Dead letters that wait for an operator.", labels,
              Real(total.count));
    out.Gauge("spool_dlq_bytes", "Bytes of dead letters.", labels, Real(total.bytes));
    out.Gauge("spool_dlq_oldest_timestamp_seconds",
              "When the oldest dead letter failed first; 0 when there is none.", labels,
              Seconds(total.oldest));
  }
}

void WriteReplays(MetricsWriter& out, const AdminParts& parts) {
  std::array<uint64_t, 5> jobs{};
  for (const ReplayStatus& replay : parts.replays.List()) {
    ++jobs[static_cast<size_t>(replay.state)];
  }
  for (size_t i = 0; i < jobs.size(); ++i) {
    out.Gauge("spool_replay_jobs", "Replays that are remembered, by state.",
              {{"state", std::string(ReplayStateName(static_cast<ReplayState>(i)))}},
              Real(jobs[i]));
  }
  std::map<std::string, ReplayTotals> totals;
  for (const auto& [name, forwarder] : parts.targets) totals[name].target = name;
  for (ReplayTotals& total : parts.replays.Totals()) totals[total.target] = total;
  for (const auto& [target, total] : totals) {
    const std::array<std::pair<const char*, uint64_t>, 3> results{
        {{"delivered", total.delivered}, {"rejected", total.rejected}, {"expired", total.evicted}}};
    for (const auto& [result, count] : results) {
      out.Counter("spool_replay_events_total", "Events that replays sent once more, by result.",
                  {{"target", target}, {"result", result}}, Real(count));
    }
  }
}

void WriteDisk(MetricsWriter& out, const AdminParts& parts) {
  const DiskStatus disk = parts.journal.Disk();
  out.Gauge("spool_disk_capacity_bytes", "Size of the journal's volume.", {},
            Real(disk.capacity_bytes));
  out.Gauge("spool_disk_free_bytes", "Free bytes of the journal's volume.", {},
            Real(disk.free_bytes));
  out.Gauge("spool_disk_used_bytes", "Bytes that the journal uses.", {}, Real(disk.used_bytes));
  out.Gauge("spool_disk_below_reserve", "1 while new events are refused to keep the reserve.", {},
            disk.below_reserve ? 1 : 0);
  out.Gauge("spool_disk_room_bytes",
            "Bytes until new events are refused: free above the reserve, or had by every target.",
            {}, Real(disk.room_bytes));
  if (disk.full_in) {
    out.Gauge("spool_disk_full_in_seconds",
              "When there is no room any more if it goes on like that; absent while it does not "
              "shrink.",
              {}, Seconds(static_cast<uint64_t>(disk.full_in->count())));
  }
  out.Gauge("spool_disk_alarm", "1 when that is within 30 minutes, or a tenth of the room is left.",
            {}, disk.alarm ? 1 : 0);
  out.Gauge("spool_clock_offset_seconds",
            "How far a wall clock that has jumped is from accept time; 0 while it is followed.", {},
            static_cast<double>(parts.journal.ClockOffset().count()) / 1e6);
  const ScrubStatus scrub = parts.journal.Scrub();
  out.Gauge("spool_scrub_damaged_places",
            "Places where stored events are damaged, as the last whole scrub found them.", {},
            Real(scrub.damaged));
  out.Gauge("spool_scrub_last_pass_timestamp_seconds",
            "When the last whole scrub ended; 0 before the first.", {},
            scrub.finished ? Seconds(scrub.finished) : 0);
}

void WriteSecrets(MetricsWriter& out) {
  for (const auto& [where, time] : SecretTimes()) {
    out.Gauge("spool_secret_loaded_timestamp_seconds",
              "When a secret was last read, by its file or variable.", {{"name", where}},
              Seconds(time));
  }
}

void WriteApi(MetricsWriter& out, const ApiCounters& api) {
  out.Gauge("spool_api_waiting_requests", "Requests to the admin API that wait for events to come.",
            {}, Real(api.waiting));
  const std::array<std::pair<const char*, uint64_t>, 4> refused{
      {{"unauthorized", api.refused.unauthorized},
       {"forbidden", api.refused.forbidden},
       {"bad_host", api.refused.bad_host},
       {"bad_origin", api.refused.bad_origin}}};
  for (const auto& [code, count] : refused) {
    out.Counter("spool_api_refused_total", "Requests to the admin API that were refused, by why.",
                {{"code", code}}, Real(count));
  }
  const char* actions = "Changes made through the admin API, by whether the audit stream has them.";
  out.Counter("spool_audit_actions_total", actions, {{"result", "recorded"}},
              Real(api.actions_recorded));
  out.Counter("spool_audit_actions_total", actions, {{"result", "lost"}}, Real(api.actions_lost));
}

}  // namespace

std::string MetricsPage(const AdminContext& context, const AdminParts* parts,
                        const ApiCounters& api) {
  MetricsWriter out;
  WriteBuild(out, context);
  WriteApi(out, api);
  WriteSecrets(out);
  if (parts != nullptr) {
    WriteIngest(out, *parts);
    WriteTls(out, *parts);
    WriteJournal(out, *parts);
    WriteStreams(out, *parts);
    for (const auto& [name, forwarder] : parts->targets) {
      WriteTarget(out, forwarder->status());
      WriteAttempts(out, name, forwarder->counters());
    }
    WriteDeadLetters(out, *parts);
    WriteReplays(out, *parts);
    WriteDisk(out, *parts);
    WriteStore(out, *parts);
  }
  out.Process();
  return out.Text();
}

}  // namespace spool
