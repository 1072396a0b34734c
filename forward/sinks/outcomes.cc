#include "forward/sinks/outcomes.h"

namespace spool {
namespace {

// The length of the valid UTF-8 sequence that begins `text`, 0 if there is none.
size_t SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  size_t length = 0;
  uint32_t value = 0;
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0) {
    length = 2;
    value = lead & 0x1f;
  } else if (lead >= 0xe0 && lead < 0xf0) {
    length = 3;
    value = lead & 0x0f;
  } else if (lead >= 0xf0 && lead < 0xf5) {
    length = 4;
    value = lead & 0x07;
  }
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    value = value << 6 | (byte(i) & 0x3f);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool surrogate = value >= 0xd800 && value < 0xe000;
  // U+0080 to U+009F are control characters that a terminal may obey.
  const bool control = value < 0xa0;
  return overlong || surrogate || control || value > 0x10ffff ? 0 : length;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string out;
  while (!text.empty() && out.size() < kExcerptMax) {
    const size_t length = SequenceLength(text);
    if (length == 0) {
      out += '?';
      text.remove_prefix(1);
      continue;
    }
    if (out.size() + length > kExcerptMax) break;
    const unsigned char c = static_cast<unsigned char>(text[0]);
    if (length == 1 && (c < 0x20 || c == 0x7f)) {
      out += ' ';
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return out;
}

void SetAll(std::span<Outcome> outcomes, Verdict verdict, std::string_view code,
            std::string_view excerpt, std::optional<Micros> retry_after) {
  for (Outcome& outcome : outcomes) {
    outcome = {verdict, std::string(code), std::string(excerpt), retry_after};
  }
}

}  // namespace spool
