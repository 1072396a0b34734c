#include "app/ctl/replicas.h"

#include <algorithm>

#include "app/ctl/contexts.h"
#include "app/ctl/text.h"

namespace spool::ctl {
namespace {

struct Ended {
  const Replica* replica = nullptr;
  int exit = kDone;
  std::vector<Failure> failures;
};

bool DidSomething(int exit) { return exit == kDone || exit == kPartly; }

void Tell(Printer& out, const Ended& ended) {
  const std::string name = Visible(ended.replica->name);
  for (const Failure& failure : ended.failures) {
    Failure told = failure;
    told.message = (failure.exit == kUnreachable ? "the replica " + name + " does not answer: "
                                                 : "replica " + name + ": ") +
                   failure.message;
    out.Fail(told);
  }
}

// What they all said is said once.
bool AllSay(const std::vector<Ended>& ended) {
  const auto text = [](const Ended& e) { return e.failures.empty() ? "" : e.failures[0].message; };
  return std::all_of(ended.begin(), ended.end(),
                     [&](const Ended& e) { return text(e) == text(ended.front()); });
}

int Sum(Printer& out, const std::vector<Ended>& all) {
  const bool some = std::ranges::any_of(all, [](const Ended& e) { return DidSomething(e.exit); });
  if (!some && AllSay(all)) {
    for (const Failure& failure : all.front().failures) out.Fail(failure);
    return all.front().exit;
  }
  int exit = kDone;
  for (const Ended& ended : all) {
    if (some && ended.exit == kNotFound) continue;  // another one has it
    Tell(out, ended);
    if (ended.exit == kDone) continue;
    if (some) {
      exit = kPartly;
    } else if (exit == kDone || ended.exit == kUnreachable) {
      exit = ended.exit;
    }
  }
  return exit;
}

}  // namespace

Outcome<std::vector<Replica>> MakeReplicas(const std::vector<std::string>& servers,
                                           ClientOptions options, const std::stop_token& stop) {
  std::vector<Replica> replicas;
  const std::vector<std::string> names = ReplicaNames(servers);
  for (size_t i = 0; i < servers.size(); ++i) {
    options.server = servers[i];
    Outcome<std::unique_ptr<Client>> client = Client::Create(options, stop);
    if (!client) return tl::unexpected<Failure>(client.error());
    replicas.push_back({names[i], std::move(*client)});
  }
  return replicas;
}

int RunOnEach(Session& session, const std::function<Outcome<int>(Session&)>& run) {
  std::vector<Ended> all;
  bool yes = session.yes;
  for (const Replica& replica : *session.replicas) {
    session.out.BeginReplica(replica.name);
    Session one{*replica.client, session.out, session.interrupt, yes, session.replicas};
    const Outcome<int> status = run(one);
    if (!status) session.out.Fail(status.error());
    yes = one.yes;
    const int exit = status ? *status : status.error().exit;
    all.push_back({&replica, exit, session.out.TakeFailures()});
    if (exit == kRefused || exit == kUsage || session.interrupt.raised()) break;
  }
  session.out.EndReplicas();
  if (session.interrupt.raised()) return kInterrupted;
  return Sum(session.out, all);
}

}  // namespace spool::ctl
