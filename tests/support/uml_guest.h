// A machine of its own whose power can be cut: a user-mode-linux kernel as a plain process, with
// the host's files as its root, an image as its disk and a serial line to talk over.
//
// SIGKILL is the power cut: the guest's memory is gone, its page cache with it. The image keeps
// exactly what the guest's kernel had handed to its disk, and what it had said over the line before
// is on our side of it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace spool::testing {

// One thread.
class UmlGuest {
 public:
  struct Options {
    std::string init;                                // the first program in the guest
    std::map<std::string, std::string> environment;  // of that; values without blanks
    std::string image;                               // the guest's /dev/ubda
    std::string console;                             // what kernel and programs print is appended
    std::string dir;                                 // for the kernel's own files
  };
  // `on_line` gets each line that the guest says and nobody waits for.
  static std::unique_ptr<UmlGuest> Boot(const Options& options,
                                        std::function<void(const std::string&)> on_line);
  ~UmlGuest();
  UmlGuest(const UmlGuest&) = delete;
  UmlGuest& operator=(const UmlGuest&) = delete;

  void Say(const std::string& line);
  // The next line that begins with one of `words`; nothing when the time is over or the guest is.
  std::optional<std::string> Wait(const std::vector<std::string>& words,
                                  std::chrono::milliseconds limit = std::chrono::seconds(60));
  // Hears what it says for that long. False if it went down by itself.
  bool Listen(std::chrono::milliseconds time);
  // Cuts the power and hears the rest of what was said. False if it was down already.
  bool Cut();

 private:
  UmlGuest() = default;
  // One piece; false at the end of the line or of the time.
  bool Hear(std::chrono::steady_clock::time_point end);
  std::optional<std::string> TakeLine();

  pid_t pid_ = -1;
  pid_t watcher_ = -1;
  int watched_ = -1;
  int line_ = -1;
  bool over_ = false;
  std::string heard_;
  std::function<void(const std::string&)> on_line_;
};

// Makes an empty ext4 of that size at `path`, or reads the one there: the words of what went wrong,
// or "". CheckExt4 finds every damage, but changes nothing.
std::string MakeExt4(const std::string& path, uint64_t bytes);
std::string CheckExt4(const std::string& path);

}  // namespace spool::testing
