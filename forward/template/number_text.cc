#include "forward/template/number_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string_view>

namespace spool::tmpl {
namespace {

// The longest double without an exponent has 309 digits before the point.
constexpr size_t kRoom = 400;
// From here on the shortest form has an exponent, in Go.
constexpr int kExponentFrom = 6;

// The shortest digits that give the same number again, and where the point stands among them.
struct Shortest {
  bool negative;
  std::string digits;
  int exponent;  // of the first digit: 1.23e5 has 5
};

Shortest ShortestOf(double value) {
  std::array<char, 32> room;
  const auto done = std::to_chars(room.data(), room.data() + room.size(), std::fabs(value),
                                  std::chars_format::scientific);
  const std::string_view text(room.data(), static_cast<size_t>(done.ptr - room.data()));
  const size_t mark = text.find('e');
  Shortest made{std::signbit(value), {}, std::atoi(std::string(text.substr(mark + 1)).c_str())};
  for (const char c : text.substr(0, mark)) {
    if (c != '.') made.digits.push_back(c);
  }
  return made;
}

// std::to_chars would show what lies behind the last digit that counts (1e23 is not round in
// binary); Go fills up with zeros.
void PutPlain(std::string& out, const Shortest& number) {
  if (number.negative) out.push_back('-');
  const auto size = static_cast<int>(number.digits.size());
  if (number.exponent < 0) {
    out += "0.";
    out.append(static_cast<size_t>(-number.exponent - 1), '0');
    out += number.digits;
    return;
  }
  if (number.exponent + 1 >= size) {
    out += number.digits;
    out.append(static_cast<size_t>(number.exponent + 1 - size), '0');
    return;
  }
  out.append(number.digits, 0, static_cast<size_t>(number.exponent) + 1);
  out.push_back('.');
  out.append(number.digits, static_cast<size_t>(number.exponent) + 1);
}

void PutScientific(std::string& out, const Shortest& number, size_t exponent_digits) {
  if (number.negative) out.push_back('-');
  out.push_back(number.digits[0]);
  if (number.digits.size() > 1) {
    out.push_back('.');
    out.append(number.digits, 1);
  }
  out += number.exponent < 0 ? "e-" : "e+";
  const std::string exponent = std::to_string(std::abs(number.exponent));
  if (exponent.size() < exponent_digits) out.append(exponent_digits - exponent.size(), '0');
  out += exponent;
}

void Put(std::string& out, double value, std::chars_format form, int digits) {
  std::string room(kRoom + static_cast<size_t>(digits), '\0');
  const auto done = std::to_chars(room.data(), room.data() + room.size(), value, form, digits);
  out.append(room.data(), done.ptr);
}

}  // namespace

void AppendFloat(std::string& out, double value, char form, int digits) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
    return;
  }
  const size_t begin = out.size();
  const bool shortest = digits < 0;
  switch (form) {
    case 'e':
    case 'E':
      if (shortest) {
        PutScientific(out, ShortestOf(value), 2);
      } else {
        Put(out, value, std::chars_format::scientific, digits);
      }
      break;
    case 'f':
    case 'F':
      if (shortest) {
        PutPlain(out, ShortestOf(value));
      } else {
        Put(out, value, std::chars_format::fixed, digits);
      }
      break;
    default:
      if (shortest) {
        const Shortest number = ShortestOf(value);
        if (number.exponent < -4 || number.exponent >= kExponentFrom) {
          PutScientific(out, number, 2);
        } else {
          PutPlain(out, number);
        }
      } else {
        Put(out, value, std::chars_format::general, digits);
      }
      break;
  }
  if (form == 'E' || form == 'G') {
    const size_t at = out.find('e', begin);
    if (at != out.npos) out[at] = 'E';
  }
}

void AppendJsonNumber(std::string& out, double value) {
  const double size = std::fabs(value);
  if (size == 0 || (size >= 1e-6 && size < 1e21)) {
    PutPlain(out, ShortestOf(value));
  } else {
    // A negative exponent has one digit if that is enough: 1e-7, but 1e+21.
    PutScientific(out, ShortestOf(value), size < 1 ? 1 : 2);
  }
}

}  // namespace spool::tmpl
