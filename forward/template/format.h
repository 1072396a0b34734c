// Values as text: Go's package fmt.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "forward/template/value.h"

namespace spool::tmpl {

// Appends values to a text that may not grow without end. One thread.
class Formatter {
 public:
  struct Options {
    // A float is printed as JSON has it (1234567.5) and not as Go does (1.2345675e+06), where no
    // verb says how.
    bool plain_numbers = false;
    size_t bytes_max = 0;
    // How nothing is printed: Go says "<nil>". Empty: whatever the verb, as the empty text; in a
    // list or map it is "<nil>" all the same.
    std::string_view nothing = "<nil>";
  };
  Formatter(std::string& out, const Options& options)
      : out_(out),
        plain_numbers_(options.plain_numbers),
        bytes_max_(options.bytes_max),
        nothing_(options.nothing) {}

  // fmt.Print's form of one value, %v.
  void Value(const tmpl::Value& value);
  // fmt.Sprint: a space between two values neither of which is a text.
  void Print(std::span<const tmpl::Value> values);
  // fmt.Sprintln: spaces between all, and a line feed.
  void PrintLine(std::span<const tmpl::Value> values);
  // fmt.Sprintf. What is wrong with format or values stands in the text, as in Go ("%!d(MISSING)").
  void Printf(std::string_view format, std::span<const tmpl::Value> values);

  // False once the text would have become longer than bytes_max, or a verb was asked for that
  // is not known here; the text is then unfinished.
  bool ok() const { return !too_long_ && unsupported_.empty(); }
  bool too_long() const { return too_long_; }
  // The verb that is not known here, "%#v"; empty otherwise.
  const std::string& unsupported() const { return unsupported_; }

 private:
  struct Flags {
    bool sharp = false, zero = false, plus = false, minus = false, space = false;
    bool has_width = false, has_precision = false;
    int64_t width = 0, precision = 0;
  };
  class Cursor;

  void Put(std::string_view text);
  void Pad(int64_t count);
  void Padded(std::string_view text);
  void Argument(const tmpl::Value& value, char32_t verb);
  void List(const tmpl::Value& value, char32_t verb);
  void Integer(uint64_t value, bool is_signed, const tmpl::Value& whole, char32_t verb);
  void Digits(uint64_t value, unsigned base, bool is_signed, char32_t verb, bool upper);
  void CodePoint(uint64_t value);
  void Real(const tmpl::Value& value, char32_t verb);
  void Text(const tmpl::Value& value, char32_t verb);
  void Hex(std::string_view text, bool upper);
  void BadVerb(const tmpl::Value& value, char32_t verb);
  void Unsupported(char32_t verb);

  std::string& out_;
  bool plain_numbers_;
  size_t bytes_max_;
  std::string_view nothing_;
  bool too_long_ = false;
  bool erroring_ = false;
  std::string unsupported_;
  Flags flags_;
};

}  // namespace spool::tmpl
