#include "app/admin_handlers.h"
#include "app/api_answer.h"
#include "app/json_writer.h"
#include "app/request_body.h"
#include "base/log.h"
#include "ingest/redaction_key.h"

namespace spool {

// Where a snapshot may go is the operator's choice, as far as the process may write there; nothing
// that exists is ever written to.
net::HttpResponse SnapshotNode(const AdminCall& call) {
  const auto body = ReadBody(call, {"dir"});
  if (!body) return AnswerOf(body.error());
  const auto dir = body->Text("dir");
  if (!dir) return AnswerOf(dir.error());
  if (!*dir || (**dir).empty() || (**dir).front() != '/') {
    return net::Problem(400, "bad_request",
                        "The member 'dir' takes an absolute path on the server's volume.");
  }
  const Config& config = call.parts.config;
  const auto end = call.parts.journal.Snapshot(**dir, [&config](const std::string& copy) -> Status {
    // A service that is restored from it must give redacted records the ids that they have here.
    if (config.redaction_key) return {};  // from elsewhere
    const Status copied = CopyRedactionKey(config.journal.dir, copy);
    // Whatever is wrong with it, it is not the request.
    return copied ? copied : Fail(Code::kStorage, copied.error().message);
  });
  if (!end) return AnswerOf(end.error());
  Note(call, "end", end->value);
  log::Info("A snapshot was made as an operator asked.", {{"dir", **dir}, {"end", ToText(*end)}});
  JsonWriter out;
  out.BeginObject().Field("dir", **dir).Field("end", *end).EndObject();
  return JsonAnswer(out.Take());
}

// Delivery goes on; what the targets have not had is in the answer.
net::HttpResponse DrainNode(const AdminCall& call) {
  const auto body = ReadBody(call, {"drain"});
  if (!body) return AnswerOf(body.error());
  const auto drain = body->Flag("drain");
  if (!drain) return AnswerOf(drain.error());
  if (!call.context.drain) {
    return net::Problem(409, "conflict", "This service cannot be drained.");
  }
  if (!call.context.drain(*drain)) {
    return net::Problem(503, "busy",
                        "No new events are taken any more, but some that were on their way are not "
                        "stored yet; ask again.",
                        -1, 1);
  }
  log::Info(*drain ? "No new events are taken, as an operator asked; delivery goes on."
                   : "Events are taken again, as an operator asked.");
  uint64_t pending = 0;
  for (const auto& [name, forwarder] : call.parts.targets) {
    pending += forwarder->status().account.pending;
  }
  JsonWriter out;
  out.BeginObject().Field("draining", *drain).Field("pending", pending).EndObject();
  return JsonAnswer(out.Take());
}

}  // namespace spool
