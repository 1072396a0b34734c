// One function for each path of the admin API that is answered from the parts of the service.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <stop_token>
#include <string>
#include <utility>

#include "app/action_log.h"
#include "app/admin_parts.h"
#include "app/query_params.h"
#include "app/request_body.h"
#include "net/http_server.h"

namespace spool {

struct AdminCall {
  const AdminContext& context;
  const AdminParts& parts;
  const net::HttpRequest& request;
  const std::string& name;  // what stands for {name} in the path; empty without one
  const QueryParams& params;
  std::stop_token stop;
  ActionNote& note;  // of the action's record
};
// Tells one more thing in the record.
inline void Note(const AdminCall& call, std::string name, uint64_t value) {
  call.note.facts.emplace_back(std::move(name), std::to_string(value));
}
// The request's body, as RequestBody::Parse; what was understood is kept with the action's record.
inline Result<RequestBody> ReadBody(const AdminCall& call,
                                    std::initializer_list<std::string_view> known) {
  auto body = RequestBody::Parse(call.request.body, known);
  call.note.body_read = body.has_value();
  return body;
}
using AdminHandler = net::HttpResponse (*)(const AdminCall&);

// admin_status.cc
net::HttpResponse GetStatus(const AdminCall& call);
net::HttpResponse ListStreams(const AdminCall& call);
net::HttpResponse GetStream(const AdminCall& call);
net::HttpResponse ListSources(const AdminCall& call);
net::HttpResponse ListSourceGaps(const AdminCall& call);
net::HttpResponse ListMarkers(const AdminCall& call);
net::HttpResponse GetEvent(const AdminCall& call);

// admin_probe.cc
net::HttpResponse TestTarget(const AdminCall& call);

// admin_node.cc
net::HttpResponse DrainNode(const AdminCall& call);

// admin_explain.cc
net::HttpResponse ExplainEvent(const AdminCall& call);
net::HttpResponse ExplainEvents(const AdminCall& call);

// admin_targets.cc
net::HttpResponse ListTargets(const AdminCall& call);
net::HttpResponse GetTarget(const AdminCall& call);
net::HttpResponse PauseTarget(const AdminCall& call);
net::HttpResponse ResumeTarget(const AdminCall& call);
net::HttpResponse SkipTarget(const AdminCall& call);
net::HttpResponse RemoveTarget(const AdminCall& call);

// admin_dead_letters.cc
net::HttpResponse ListDeadLetters(const AdminCall& call);
net::HttpResponse GetDeadLetter(const AdminCall& call);
net::HttpResponse RetryDeadLetter(const AdminCall& call);
net::HttpResponse DropDeadLetter(const AdminCall& call);
net::HttpResponse RetryDeadLetters(const AdminCall& call);
net::HttpResponse DropDeadLetters(const AdminCall& call);

// admin_replays.cc
net::HttpResponse ListReplays(const AdminCall& call);
net::HttpResponse StartReplay(const AdminCall& call);
net::HttpResponse GetReplay(const AdminCall& call);
net::HttpResponse PauseReplay(const AdminCall& call);
net::HttpResponse ResumeReplay(const AdminCall& call);
net::HttpResponse CancelReplay(const AdminCall& call);

// admin_config.cc
net::HttpResponse GetConfig(const AdminCall& call);
net::HttpResponse ValidateConfig(const AdminCall& call);
net::HttpResponse ReloadConfig(const AdminCall& call);
net::HttpResponse TestConfig(const AdminCall& call);

// admin_node.cc
net::HttpResponse SnapshotNode(const AdminCall& call);

}  // namespace spool
