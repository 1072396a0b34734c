// The audit stream: what was done through the admin API, by whom, and how it ended.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/admin_auth.h"
#include "base/clock.h"
#include "net/http_server.h"
#include "spool/journal.h"

namespace spool {

// What a handler adds to the record of its action.
struct ActionNote {
  bool looked_only = false;  // nothing was to be changed, as in a dry run: there is no record
  bool body_read = false;    // and every member of it known: then it is kept
  std::vector<std::pair<std::string, std::string>> facts;  // name and JSON value: ("skipped", "12")
};

// The action behind a path, such as "targets:pause", "targets:delete", "replays:create"; empty for
// what changes nothing. Whatever is not a GET counts as a change unless it is known not to be one,
// so that a new path is recorded without anybody's remembering it.
std::string ActionOf(std::string_view method, std::string_view path);

// Any thread.
class ActionLog {
 public:
  explicit ActionLog(const Clock& clock) : clock_(clock) {}

  // Stores the record in kAuditStream, waits until it is durable, and logs it. To be called once
  // the action is done and before it is answered. An action that cannot be recorded stays done: it
  // is logged as an error with all that the record would have said, and counted. Not on the
  // committer's thread.
  void Record(Journal& journal, std::string_view cluster, const std::string& action,
              const std::string& name, const AdminActor& actor, const net::HttpRequest& request,
              const net::HttpResponse& answer, const ActionNote& note);

  uint64_t stored() const { return stored_; }
  uint64_t lost() const { return lost_; }

 private:
  const Clock& clock_;
  std::atomic<uint64_t> stored_{0};
  std::atomic<uint64_t> lost_{0};
};

}  // namespace spool
