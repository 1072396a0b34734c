#include "app/ctl/commands.h"
#include "app/ctl/text.h"

namespace spool::ctl {

int NodeSnapshot(Session& session, const std::string& dir) {
  JsonObject body;
  body.Add("dir", dir);
  const Outcome<Json> answer =
      session.client.Post("/api/v1/node:snapshot", body.text(), std::chrono::minutes(10));
  if (!answer) return session.End(answer.error());
  session.out.Did(*answer, "snapshot", dir,
                  "made, with every event below sequence " + (*answer)["end"].Text());
  return kDone;
}

}  // namespace spool::ctl
