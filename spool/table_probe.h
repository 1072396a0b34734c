// Tables of a database that end the process which opens them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace spool {

// A table's description is used before its checksum is looked at, and what makes no sense in it
// ends the process on an assertion of the library's. So processes of their own open the tables of
// `db_dir` first; the names of those that end one are given, in order. What they report in an
// orderly way is not: whoever opens the database gets it. Changes nothing. kStorage when no process
// can be made. Forks: REQUIRES that no other thread of this process runs.
Result<std::vector<std::string>> TablesThatEndTheProcess(const std::string& db_dir);

// For a start, before it opens the journal in `dir`. When the process that had it last ended
// without closing it, a table may have been why, and would be again: then that is kept as damage,
// kDamaged is given, and Journal::Open must not be called (and gives the same, as long as the note
// is there). Otherwise, and when it cannot look, it does nothing. REQUIRES as above.
Status LookBeforeOpening(const std::string& dir);

}  // namespace spool
