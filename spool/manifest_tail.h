// How far the database's list of its own files (MANIFEST) can be read.
//
// It is written and synced record by record. A power cut may leave the blocks of the record that
// was not synced in any state, a later one without an earlier one too; the database takes that for
// damage and does not open.
#pragma once

#include <cstddef>
#include <string_view>

namespace spool {

// Where the first record that cannot be read begins, and with it the last that can be ends; the
// size of `manifest` when all can be read, and when only its end is missing, which the database
// bears. The format is RocksDB's:
// https://github.com/facebook/rocksdb/wiki/Write-Ahead-Log-File-Format
size_t ReadableManifestBytes(std::string_view manifest);

}  // namespace spool
