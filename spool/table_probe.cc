#include "spool/table_probe.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>

#include "base/log.h"
#include "spool/directory.h"
#include "spool/rocks_store.h"

namespace spool {
namespace {

// In a child, which says nothing and leaves nothing behind.
[[noreturn]] void OpenThem(const std::string& db_dir, std::span<const std::string> tables) {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  signal(SIGABRT, SIG_DFL);
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  dup2(nowhere, STDOUT_FILENO);
  dup2(nowhere, STDERR_FILENO);
  for (const std::string& table : tables) RocksStore::LookAtTable(db_dir + "/" + table);
  _exit(0);
}

Result<bool> Ends(const std::string& db_dir, std::span<const std::string> tables) {
  signal(SIGCHLD, SIG_DFL);  // or there is nothing to wait for
  const pid_t child = fork();
  if (child < 0) {
    return Fail(Code::kStorage, std::string("no process to look at tables: ") + strerror(errno));
  }
  if (child == 0) OpenThem(db_dir, tables);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) {
      return Fail(Code::kStorage, std::string("no process to look at tables: ") + strerror(errno));
    }
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return false;
  // What ends a process from outside says nothing of a table.
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    if (WIFSIGNALED(status) && WTERMSIG(status) == number) return true;
  }
  return Fail(Code::kStorage, "the process that looks at tables was ended");
}

// Those among `tables`, found by halving.
Status Find(const std::string& db_dir, std::span<const std::string> tables,
            std::vector<std::string>* found) {
  if (tables.empty()) return {};
  const auto ends = Ends(db_dir, tables);
  if (!ends) return tl::unexpected(ends.error());
  if (!*ends) return {};
  if (tables.size() == 1) {
    found->push_back(tables[0]);
    return {};
  }
  const size_t half = tables.size() / 2;
  if (auto first = Find(db_dir, tables.first(half), found); !first) return first;
  return Find(db_dir, tables.subspan(half), found);
}

}  // namespace

Result<std::vector<std::string>> TablesThatEndTheProcess(const std::string& db_dir) {
  std::vector<std::string> tables;
  std::error_code error;
  for (std::filesystem::directory_iterator it(db_dir, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == ".sst") tables.push_back(it->path().filename());
  }
  std::sort(tables.begin(), tables.end());
  std::vector<std::string> found;
  if (auto looked = Find(db_dir, tables, &found); !looked) return tl::unexpected(looked.error());
  return found;
}

Status LookBeforeOpening(const std::string& dir) {
  if (!WasLeftOpen(dir)) return {};
  DirectoryLock lock;
  if (!lock.Take(dir)) return {};  // another has it open, or Journal::Open says what is wrong
  const auto tables = TablesThatEndTheProcess(dir + "/db");
  if (!tables) {
    log::Warn("The tables of a journal that was not closed could not be looked at.",
              {{"error", tables.error().message}});
    return {};
  }
  if (tables->empty()) return {};
  std::string names;
  for (const std::string& table : *tables) names += (names.empty() ? "" : ", ") + table;
  const std::string what = "the description of " + names + " makes no sense and ends who opens it";
  NoteDamage(dir, what);
  return Fail(Code::kDamaged, what);
}

}  // namespace spool
