// A secret by reference: the bytes are read when used, follow the file when it changes, and are
// never printed.
#pragma once

#include <string>

#include "base/result.h"

namespace spool {

class Secret {
 public:
  static Secret FromFile(std::string path);
  static Secret FromEnv(std::string name);

  // The secret now, without trailing line ends. kUnavailable naming the file or variable (never
  // the content) when it cannot be read, is empty, or is longer than 64 KiB. Any thread.
  Result<std::string> Read() const;
  // "file:/etc/…" or "env:NAME": safe to show.
  std::string Where() const;
  // The file's path; empty for a variable.
  std::string File() const { return file_ ? where_ : ""; }

 private:
  Secret(bool file, std::string where) : file_(file), where_(std::move(where)) {}
  bool file_;
  std::string where_;
};

}  // namespace spool
