// The functions that templates call.
#pragma once

#include <concepts>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "forward/template/format.h"
#include "forward/template/pattern.h"
#include "forward/template/template.h"
#include "forward/template/tree.h"
#include "forward/template/value.h"

namespace spool::tmpl {

// What a parameter takes.
enum class Type {
  kAny,
  kText,
  kInt,
  kBool,
  kMap,  // an object with string keys, map[string]interface {}
};

// One call, from its arguments to its result. One thread.
class Call {
 public:
  Call(const TemplateOptions& options, SystemTime now, std::vector<Value>& arguments,
       const Pattern* pattern)
      : options_(options), now_(now), arguments_(arguments), pattern_(pattern) {}

  size_t count() const { return arguments_.size(); }
  std::span<const Value> all() const { return arguments_; }
  const Value& operator[](size_t i) const { return arguments_[i]; }
  std::string_view text(size_t i) const { return arguments_[i].text(); }
  int64_t integer(size_t i) const { return arguments_[i].integer(); }

  bool parity() const { return options_.parity; }
  size_t bytes_max() const { return options_.limits.output_bytes; }
  SystemTime now() const { return now_; }
  // The first argument as it was compiled with the template; null when it was not written there.
  const Pattern* pattern() const { return pattern_; }

  // What the function says at its end. A text longer than bytes_max fails the call, and so does a
  // list or map that is too deep.
  bool Return(Value value);
  bool Return(std::string text);
  // Of a bool itself: a literal text would become one.
  bool Return(std::same_as<bool> auto truth) { return Return(Value::Bool(truth)); }
  bool Fail(std::string message);
  bool TooLong();
  // A Formatter for `out` by this call's options; Finish returns what it made.
  Formatter Format(std::string& out) const;
  bool Finish(const Formatter& formatter, std::string text);

  const Value& result() const { return result_; }
  const std::string& error() const { return error_; }

 private:
  const TemplateOptions& options_;
  const SystemTime now_;
  std::vector<Value>& arguments_;
  const Pattern* pattern_;
  Value result_;
  std::string error_;
};

struct Function {
  std::string_view name;
  std::vector<Type> fixed;
  std::optional<Type> rest;  // as many more as there are
  // Null: and, or, which stop at the first that decides.
  bool (*run)(Call& call) = nullptr;
  bool prints = false;   // shows its arguments, so that nothing is nothing to show
  bool pattern = false;  // the first argument is a regular expression
  // Where a text stands that is looked into, and where one that whoever has the order wrong would
  // put there: a literal in the first place and none in the second is likely meant the other way
  // round. -1: no such thing.
  int looked_into = -1;
  int looked_for = -1;
};

// The functions of a dialect. Immutable; any thread.
class FunctionTable {
 public:
  // The same object for the whole process.
  static const FunctionTable& Of(Dialect dialect);

  // Null when there is none of that name. The function lives as long as the process.
  const Function* Find(std::string_view name) const;
  // A word for the person who wrote `name`: "did you mean "x"?", or nothing.
  std::string Hint(std::string_view name) const;
  // What is wrong with a call that has so many arguments; nothing when it can be right.
  static std::string WrongCount(const Function& function, size_t arguments);

 private:
  explicit FunctionTable(Dialect dialect);
  std::map<std::string_view, Function> functions_;
};

// The parts that a table is made of; of two functions with one name the later counts.
std::vector<Function> BuiltinFunctions();  // what text/template itself has
std::vector<Function> TextFunctions(Dialect dialect);
std::vector<Function> DataFunctions(Dialect dialect);

// Compares as eq and lt do. Empty when the two cannot be compared; `why` says why then.
std::optional<bool> Equal(const Value& a, const Value& b, bool parity, std::string* why);
std::optional<bool> Less(const Value& a, const Value& b, bool parity, std::string* why);

// A number, or a text that is one, as sprig makes an int64 of it; 0 for anything else.
int64_t ToInt64(const Value& value);

// As sprig makes a text of a value: a text itself, anything else as %v prints it.
bool AppendAsText(Call& call, std::string& out, const Value& value);

}  // namespace spool::tmpl
