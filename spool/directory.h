// The data directory around the database: who holds it, which format it has, and the room kept
// aside for opening a full volume.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace spool {

// Holds the directory: at most one process may acknowledge into it. Released by the destructor.
class DirectoryLock {
 public:
  DirectoryLock() = default;
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  // Makes the directory (mode 0700) if it is missing. kConflict when another process holds it,
  // kStorage when the volume refuses.
  Status Take(const std::string& dir);

 private:
  int fd_ = -1;
};

// Whether an error is the one that Take gives when another process holds the directory.
bool IsDirectoryInUse(const Error& error);

inline constexpr std::string_view kJournalFormat = "spool-journal 2";

// DIR/FORMAT says that a journal was made here and how it is written. It is synced before the
// first event is taken, so a directory that has it and no database has lost the database.
//
// True if there is one; kInvalid for another version's format, kDamaged for anything else, kStorage
// when it cannot be read.
Result<bool> ReadFormatFile(const std::string& dir);
// Writes it durably, its name and the directory's own name included. kStorage.
Status WriteFormatFile(const std::string& dir);

// DIR/DAMAGED keeps what the database met when it rewrote its tables, and a start from trying that
// again, until a repair. NoteDamage does what it can on a volume that may refuse.
void NoteDamage(const std::string& dir, const std::string& what);
std::optional<std::string> ReadDamageNote(const std::string& dir);
void ForgetDamage(const std::string& dir);

// DIR/OPEN is there while a process has the journal open, and after one that ended without closing
// it. Not synced: what a power cut makes of it does no harm.
void MarkOpen(const std::string& dir);
void MarkClosed(const std::string& dir);
bool WasLeftOpen(const std::string& dir);

// Makes durable which names the directory has. kStorage.
Status SyncDirectory(const std::string& dir);

// kConflict when there is something of that name, kStorage.
Status MakeNewDirectory(const std::string& dir);

// Gives a directory its name durably. kConflict when there is something of that name, kStorage.
Status RenameDirectory(const std::string& from, const std::string& to);

// RocksDB's recovery writes, so it cannot open a full volume: DIR/RESERVE is room for that. Frees
// it when less than `bytes` are free. 0 does nothing.
void FreeReserve(const std::string& dir, uint64_t bytes);
// kStorage while there is less room than opening the database in DIR/db can take: it would fail
// half way, or abort.
Status CheckRoom(const std::string& dir);
// Makes it again when there is room for it four times over and still `room` free afterwards.
void KeepReserve(const std::string& dir, uint64_t bytes, uint64_t room);

}  // namespace spool
