// A terminal taken over for a while: the alternate screen, keys one by one, and back as it was.
#pragma once

#include <termios.h>

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace spool::ctl {

// One thread. The destructor gives the terminal back.
class Screen {
 public:
  // Nothing if stdin and stdout are not both a terminal.
  static std::optional<Screen> Take();
  ~Screen();
  Screen(Screen&& other) noexcept;
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  struct Size {
    size_t columns = 80;
    size_t rows = 24;
    bool operator==(const Size&) const = default;
  };
  Size size() const;

  // Paints the lines from the top, cut to the size; what stood below them goes. False if the
  // terminal is gone.
  bool Paint(const std::vector<std::string>& lines);
  // The next key (of an escape sequence nothing but 27), 0 when none came in time, -1 when the
  // terminal is gone. Returns early when the size has changed.
  int Key(Millis wait);

 private:
  explicit Screen(const termios& before) : before_(before) {}
  bool Write(const std::string& text);

  termios before_;
  bool taken_ = true;
  Size painted_;
};

}  // namespace spool::ctl
