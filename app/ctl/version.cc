#include "app/ctl/commands.h"
#include "app/ctl/text.h"

namespace spool::ctl {

// The client's own version is an answer even when no server is there, so that is no failure.
int Version(Session& session, bool client_only) {
  std::string server;
  std::string trouble;
  if (!client_only) {
    const Outcome<Json> answer = session.client.Get("/api/v1/version");
    if (answer) {
      server = (*answer)["version"].Text();
    } else if (answer.error().exit == kInterrupted) {
      return kInterrupted;
    } else {
      trouble = answer.error().message;
    }
  }
  JsonObject object;
  object.Add("client", SPOOL_VERSION);
  if (!client_only) object.AddRaw("server", server.empty() ? "null" : JsonString(server));
  const Result<Json> both = Json::Parse(object.text());
  session.out.One(*both, {"version", "versions", "client", nullptr}, [&] {
    std::string text = "spoolctl " SPOOL_VERSION "\n";
    if (!server.empty()) {
      text += "spoold   " + Visible(server) + "  " + Visible(session.client.server()) + "\n";
    }
    return text;
  });
  if (!trouble.empty()) session.out.Note("spoold   unknown: " + trouble);
  return kDone;
}

}  // namespace spool::ctl
