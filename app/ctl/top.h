// What `spoolctl top` shows, as lines.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/ctl/session.h"

namespace spool::ctl {

enum class TopSort { kLag, kRate, kDead, kName };
std::string_view TopSortName(TopSort sort);

// One server's answer.
struct TopAnswer {
  std::string replica;
  Json status;      // null when it did not come
  std::string why;  // then
};

struct TopLook {
  size_t columns = 80;
  size_t rows = 24;  // 0: as many as it takes
  bool colour = false;
  TopSort sort = TopSort::kLag;
  bool keys = true;  // a last line that tells the keys
  Micros interval{2'000'000};
};

// One thread. Remembers the last answers, for rates.
class TopPage {
 public:
  // Takes the answers of one look at all servers; `server` heads the page when there is one alone.
  void Update(const std::vector<TopAnswer>& answers, const std::string& server, SteadyTime now);
  std::vector<std::string> Lines(const TopLook& look) const;

 private:
  struct Row {
    std::string replica;
    std::string name;
    Json json;
    double rate = -1;  // events per second; below 0: not known yet
  };
  std::vector<Row> RowsOf(const char* list, const char* counter, SteadyTime now);
  std::vector<std::string> Sources(const TopLook& look) const;
  std::vector<std::string> Targets(const TopLook& look) const;
  std::vector<std::string> Streams(const TopLook& look) const;
  std::vector<std::string> Head(const TopLook& look) const;

  struct Count {
    uint64_t value = 0;
    SteadyTime at;
    double rate = -1;
  };
  std::map<std::string, Count> counts_;  // "replica/list/name"
  std::vector<TopAnswer> answers_;
  std::string server_;
  std::vector<Row> sources_, targets_, streams_;
};

// Until q or Ctrl-C; one frame when stdout is no terminal. kUsage for a form other than a table.
int Top(Session& session, Micros interval, TopSort sort, bool once);

}  // namespace spool::ctl
