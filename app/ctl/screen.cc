#include "app/ctl/screen.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "app/ctl/text.h"

namespace spool::ctl {
namespace {

// How long a change of the size may go unseen.
constexpr Millis kLook{100};

}  // namespace

std::optional<Screen> Screen::Take() {
  termios before{};
  if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0) return std::nullopt;
  termios raw = before;
  // Ctrl-C stays a signal. A stop would leave the shell in our screen.
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VSUSP] = _POSIX_VDISABLE;
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) != 0) return std::nullopt;
  std::optional<Screen> screen(Screen{before});
  screen->Write("\x1b[?1049h\x1b[?25l\x1b[2J");
  return screen;
}

Screen::Screen(Screen&& other) noexcept
    : before_(other.before_), taken_(other.taken_), painted_(other.painted_) {
  other.taken_ = false;
}

Screen::~Screen() {
  if (!taken_) return;
  Write("\x1b[0m\x1b[?25h\x1b[?1049l");
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
}

Screen::Size Screen::size() const {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
    return {};
  }
  return {size.ws_col, size.ws_row};
}

bool Screen::Write(const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    const ssize_t n = write(STDOUT_FILENO, text.data() + at, text.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += static_cast<size_t>(n);
  }
  return true;
}

bool Screen::Paint(const std::vector<std::string>& lines) {
  const Size now = size();
  std::string text = painted_ == now ? "\x1b[H" : "\x1b[2J\x1b[H";
  painted_ = now;
  const size_t rows = std::min(lines.size(), now.rows);
  for (size_t i = 0; i < rows; ++i) {
    text += ForLocale(Clip(lines[i], now.columns)) + "\x1b[0m\x1b[K";
    if (i + 1 < now.rows) text += "\r\n";
  }
  if (rows < now.rows) text += "\x1b[J";
  return Write(text);
}

int Screen::Key(Millis wait) {
  const SteadyTime until = RealClock().Steady() + wait;
  while (size() == painted_) {
    const auto left = std::chrono::duration_cast<Millis>(until - RealClock().Steady());
    if (left <= Millis(0)) return 0;
    pollfd fd{STDIN_FILENO, POLLIN, 0};
    const int ready = poll(&fd, 1, static_cast<int>(std::min(left, kLook).count()));
    if (ready < 0 && errno != EINTR) return -1;
    if (ready <= 0) {
      return 0;  // the caller looks whether it was interrupted
    }
    unsigned char keys[64];
    const ssize_t n = read(STDIN_FILENO, keys, sizeof keys);
    if (n < 0 && errno == EINTR) continue;
    return n <= 0 ? -1 : keys[0];
  }
  return 0;
}

}  // namespace spool::ctl
