#include "app/ctl/replay_progress.h"

#include <algorithm>
#include <cstdio>

#include "app/ctl/text.h"
#include "base/time_text.h"

namespace spool::ctl {
namespace {

constexpr std::chrono::seconds kWindow{10};
constexpr size_t kBarMax = 40;
constexpr size_t kBarLeast = 6;

}  // namespace

std::string Bar(double part, size_t width) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double filled = std::clamp(part, 0.0, 1.0) * static_cast<double>(width);
  const auto eighths = static_cast<size_t>(filled * 8 + 1e-6);
  std::string bar;
  for (size_t i = 0; i < eighths / 8; ++i) bar += "█";
  size_t used = eighths / 8;
  if (eighths % 8 != 0) {
    bar += kEighths[eighths % 8];
    ++used;
  }
  for (; used < width; ++used) bar += "░";
  return bar;
}

std::string ReplayProgress::Line(const Json& replay, SteadyTime now, size_t width) {
  const uint64_t settled = replay["settled"].Number();
  const uint64_t total = replay["total"].Number();
  const std::string state = replay["state"].Text();
  seen_.emplace_back(now, settled);
  while (seen_.size() > 2 && now - seen_.front().first > kWindow) seen_.pop_front();
  const double seconds = std::chrono::duration<double>(now - seen_.front().first).count();
  const uint64_t before = seen_.front().second;
  const double rate =
      seconds > 0 && settled > before ? static_cast<double>(settled - before) / seconds : 0;

  const double part =
      total > 0 ? std::min(1.0, static_cast<double>(settled) / static_cast<double>(total)) : 0;
  char percent[16];
  std::snprintf(percent, sizeof percent, "%5.1f%%", part * 100);
  std::string tail = std::string(percent) + "  " + Thousands(settled) + "/" + Thousands(total);
  if (state == "running") {
    tail += "  " + Thousands(static_cast<uint64_t>(rate)) + "/s  rejected " +
            Thousands(replay["rejected"].Number());
    if (rate > 0 && total > settled) {
      const auto left = static_cast<int64_t>(static_cast<double>(total - settled) / rate + 0.5);
      tail += "  eta " + FormatAge(std::chrono::seconds(left));
    }
  } else {
    tail += "  " + Visible(state);
  }
  const std::string head = Visible(replay["id"].Text()) + " → " + Visible(replay["target"].Text());
  size_t room = kBarMax;
  if (width > 0) {
    const size_t rest = DisplayWidth(head) + DisplayWidth(tail) + 4;
    room = width > rest + kBarLeast ? std::min(kBarMax, width - rest - 1) : 0;
  }
  const std::string line =
      room > 0 ? head + "  " + Bar(part, room) + "  " + tail : head + "  " + tail;
  return width > 0 ? Truncate(line, width - 1) : line;
}

}  // namespace spool::ctl
