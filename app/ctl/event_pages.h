// Events as the API gives them, page by page.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/ctl/client.h"
#include "app/ctl/commands.h"

namespace spool::ctl {

inline constexpr uint64_t kPageEvents = 1000;  // asked for at once
inline constexpr int kFollowWait = 20;  // seconds that the server holds an answer while it has none

struct EventPage {
  std::vector<std::string> lines;  // CloudEvents objects
  bool complete = false;
  uint64_t next = 0;  // where to go on when it is not complete
  uint64_t scanned = 0;
};

struct PageSpan {
  bool newest = true;
  std::optional<uint64_t> from;
  std::optional<uint64_t> to;
  bool times = true;  // the query's times count
  int wait = 0;
};

// One page of at most `*limit` events; where the answer would be too large, `*limit` shrinks.
Outcome<EventPage> FetchPage(Client& client, const EventQuery& query, const PageSpan& span,
                             uint64_t* limit);
// The next sequence to be given.
Outcome<uint64_t> FetchEnd(Client& client);
// What was stored from `*from` on, which moves behind it; waits up to kFollowWait for the first.
Outcome<std::vector<std::string>> FetchNews(Client& client, const EventQuery& query, uint64_t* from,
                                            uint64_t* limit);

uint64_t SequenceOf(const std::string& line);

}  // namespace spool::ctl
