// Walks a parsed template with a root value: Go's text/template/exec.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "forward/template/function.h"
#include "forward/template/template.h"
#include "forward/template/tree.h"
#include "forward/template/value.h"

namespace spool::tmpl {

// One rendering. One thread, used once; all that it refers to must outlive it.
class Execution {
 public:
  Execution(const Tree& tree, const TemplateOptions& options, SystemTime now, std::string& out)
      : tree_(tree), options_(options), now_(now), out_(out), begin_(out.size()) {}

  // Appends to `out`; what is there after an error is unfinished.
  Status Run(const Value& root);

 private:
  enum class Flow { kOn, kBreak, kContinue, kFailed };

  Flow Walk(const Value& dot, const NodeList& list);
  Flow WalkNode(const Value& dot, const Node& node);
  Flow WalkChoice(const Value& dot, const Node& node);
  Flow WalkRange(const Value& dot, const Node& node);
  Flow WalkItem(const Node& node, const Value& index, const Value& item);
  Flow WalkTemplate(const Value& dot, const Node& node);

  // Each gives false after an error.
  bool Evaluate(const Value& dot, const Pipeline* pipeline, Value& out);
  bool Evaluate(const Value& dot, const Command& command, const Value* piped, Value& out);
  bool Evaluate(const Value& dot, const Operand& operand, Value& out);
  bool EvaluateCall(const Value& dot, const Operand& name, const Command* command,
                    const Value* piped, Value& out);
  bool EvaluateChoice(const Value& dot, bool until, const Command& command, const Value* piped,
                      Value& out);
  bool Argument(const Value& dot, const Operand& operand, Type type, Value& out);
  bool Literal(const Operand& operand, Type type, Value& out);
  bool Fit(size_t at, Type type, Value& value);
  bool FitText(size_t at, Value& value);
  bool Number(const Operand& operand, Value& out);
  bool Fields(size_t at, const std::vector<std::string>& names, Value& value);
  bool Field(size_t at, const std::string& name, Value& value);
  bool Print(size_t at, const Value& value);
  void Append(std::string_view text);

  // Null, and an error, when what would have declared it was never reached: `and false ($x := 1)`.
  Value* Variable(size_t at, std::string_view name);
  bool Step(size_t at, size_t cost);
  bool Deeper(size_t at);
  bool Fail(size_t at, std::string message);
  bool Missed(size_t at) { return Fail(at, "the event has no such value"); }
  bool strict() const { return !options_.parity && options_.missing == Missing::kError; }

  const Tree& tree_;
  const TemplateOptions& options_;
  const SystemTime now_;
  std::string& out_;
  const size_t begin_;
  std::vector<std::pair<std::string_view, Value>> variables_;
  size_t first_variable_ = 0;  // those before it belong to the templates that called this one
  size_t steps_ = 0;
  size_t depth_ = 0;
  std::string error_;
};

}  // namespace spool::tmpl
