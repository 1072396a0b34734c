// What every command works with.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/ctl/client.h"
#include "app/ctl/failure.h"
#include "app/ctl/interrupt.h"
#include "app/ctl/printer.h"

namespace spool::ctl {

// One of the servers that a command goes to.
struct Replica {
  std::string name;
  std::unique_ptr<Client> client;
};

struct Session {
  Client& client;
  Printer& out;
  Interrupt& interrupt;
  bool yes = false;                                // do not ask; also once the user has agreed
  const std::vector<Replica>* replicas = nullptr;  // all that are asked, this one among them

  // Says how the command failed; its exit status.
  int End(const Failure& failure) {
    out.Fail(failure);
    return failure.exit;
  }
  // True if the user agrees to `what` ("drop 3 dead letters of kafka"). On a terminal it asks;
  // elsewhere, without --yes, it says that the flag is needed.
  bool Confirm(std::string_view what);
};

// A server that went away while a command follows it: it may be restarting.
class Outage {
 public:
  void Over() { on_ = false; }
  // To be called for each failed request. True for the first one.
  bool Notice(SteadyTime now) {
    if (on_) return false;
    on_ = true;
    since_ = now;
    return true;
  }
  bool on() const { return on_; }
  bool TooLong(SteadyTime now) const { return on_ && now - since_ > std::chrono::seconds(60); }

 private:
  bool on_ = false;
  SteadyTime since_{};
};

// "kafka" of "target/kafka" for the type "target", so that the lines of -o name can be passed on.
std::string Bare(const std::string& name, std::string_view type);

// What names a thing in the API and in sentences.
struct Noun {
  std::string_view word;  // "target"
  std::string_view path;  // "/api/v1/targets"
  std::string_view key;   // "name"
};
inline constexpr Noun kStream{"stream", "/api/v1/streams", "name"};
inline constexpr Noun kTarget{"target", "/api/v1/targets", "name"};
inline constexpr Noun kReplay{"replay", "/api/v1/replays", "id"};

// GET or, with a verb, POST of one thing. An unknown name is answered with the one that was
// probably meant, taken from what there is now.
Outcome<Json> GetNamed(Session& session, const Noun& noun, const std::string& name);
Outcome<Json> PostNamed(Session& session, const Noun& noun, const std::string& name,
                        std::string_view verb, const std::string& body = {});
// Makes of `failure`, if it is "not found", one that says what there is.
Failure WithSuggestion(Session& session, const Noun& noun, const std::string& name,
                       Failure failure);

}  // namespace spool::ctl
