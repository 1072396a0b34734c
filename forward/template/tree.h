// A parsed template. Made by Parse, never changed afterwards, read by any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "forward/template/value.h"

namespace spool::tmpl {

class FunctionTable;
struct Function;
class Pattern;
struct Pipeline;

// A number as it was written: what it is depends on where it stands, as for Go's constants.
struct Constant {
  bool is_int = false;
  bool is_float = false;
  bool written_as_float = false;  // 1.0, 1e3
  int64_t integer = 0;
  double real = 0;
};

struct Operand {
  enum class Kind {
    kBool,
    kDot,
    kNil,
    kNumber,
    kString,
    kField,       // .a.b: names
    kVariable,    // $x.a.b: text is "$x", then names
    kIdentifier,  // a function
    kPipeline,    // ( … )
    kChain,       // ( … ).a.b, or a function's result: inner, then names
  };
  Kind kind = Kind::kDot;
  size_t at = 0;
  bool truth = false;
  Constant number;
  std::string text;  // a variable's, function's or number's, as written
  Value content;     // of a string
  std::vector<std::string> names;
  const Function* function = nullptr;
  const Pipeline* pipeline = nullptr;
  const Operand* inner = nullptr;
};

struct Command {
  size_t at = 0;
  std::vector<const Operand*> operands;  // at least one
  std::shared_ptr<const Pattern>
      pattern;  // compiled, when the function takes one and it is written
};

struct Pipeline {
  size_t at = 0;
  bool assigns = false;                // = and not :=
  std::vector<std::string> variables;  // with their $
  std::vector<Command> commands;       // at least one
};

struct Node;
using NodeList = std::vector<Node>;

struct Node {
  enum class Kind { kText, kAction, kIf, kWith, kRange, kTemplate, kBreak, kContinue };
  Kind kind = Kind::kText;
  size_t at = 0;
  std::string text;                    // kText, or the name that kTemplate calls
  const Pipeline* pipeline = nullptr;  // null: {{template "x"}}
  const NodeList* list = nullptr;
  const NodeList* other = nullptr;  // after else; null when there is none
  bool chained = false;             // `other` is one node alone: {{else if}}, {{else with}}
};

// All of one template and of what it defines.
struct Tree {
  std::string source;
  const NodeList* root = nullptr;
  std::map<std::string, const NodeList*, std::less<>> defined;

  std::deque<Operand> operands;
  std::deque<Pipeline> pipelines;
  std::deque<NodeList> lists;

  // "LINE:COLUMN" of that offset; both count from 1, columns in characters.
  std::string Place(size_t at) const;
};

struct ParseLimits {
  size_t depth_max;  // blocks and parentheses in each other
};

// Parses what Go's text/template/parse parses, with its rules and no others, but for the number of
// arguments, which is looked at here. kInvalid: "LINE:COLUMN: what is wrong".
Result<std::shared_ptr<Tree>> Parse(std::string source, const FunctionTable& functions,
                                    const ParseLimits& limits);

}  // namespace spool::tmpl
