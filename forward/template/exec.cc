#include "forward/template/exec.h"

#include <algorithm>
#include <limits>

#include "forward/template/exporter_names.h"
#include "forward/template/json.h"

namespace spool::tmpl {
namespace {

// That many bytes of text count for a step of their own.
constexpr size_t kBytesAStep = 256;
constexpr size_t kItemsAStep = 16;
// A regular expression that comes with the event has to be compiled each time.
constexpr size_t kStepsAPattern = 500;

size_t Weight(const Value& value) {
  switch (value.kind()) {
    case Kind::kString: return value.text().size() / kBytesAStep;
    case Kind::kList: return value.items().size() / kItemsAStep;
    case Kind::kMap: return value.entries().size() / kItemsAStep;
    default: return 0;
  }
}

std::string_view TypeText(Type type) {
  switch (type) {
    case Type::kAny: return "anything";
    case Type::kText: return "a text";
    case Type::kInt: return "a whole number";
    case Type::kBool: return "true or false";
    case Type::kMap: return "an object";
  }
  return "";
}

}  // namespace

Status Execution::Run(const Value& root) {
  variables_.emplace_back("$", root);
  if (Walk(root, *tree_.root) == Flow::kFailed) return spool::Fail(Code::kInvalid, error_);
  return {};
}

bool Execution::Fail(size_t at, std::string message) {
  if (error_.empty()) error_ = tree_.Place(at) + ": " + std::move(message);
  return false;
}

bool Execution::Step(size_t at, size_t cost) {
  steps_ += cost;
  return steps_ <= options_.limits.steps ||
         Fail(at,
              "the template takes more than " + std::to_string(options_.limits.steps) + " steps");
}

bool Execution::Deeper(size_t at) {
  return ++depth_ <= options_.limits.depth ||
         Fail(at, "the template goes more than " + std::to_string(options_.limits.depth) +
                      " levels deep");
}

Value* Execution::Variable(size_t at, std::string_view name) {
  for (size_t i = variables_.size(); i > first_variable_; --i) {
    if (variables_[i - 1].first == name) return &variables_[i - 1].second;
  }
  Fail(at, "the variable " + std::string(name) + " is not set here");
  return nullptr;
}

Execution::Flow Execution::Walk(const Value& dot, const NodeList& list) {
  for (const Node& node : list) {
    const Flow flow = WalkNode(dot, node);
    if (flow != Flow::kOn) return flow;
  }
  return Flow::kOn;
}

Execution::Flow Execution::WalkNode(const Value& dot, const Node& node) {
  if (!Step(node.at, 1)) return Flow::kFailed;
  switch (node.kind) {
    case Node::Kind::kText: {
      const size_t room = options_.limits.output_bytes - (out_.size() - begin_);
      if (node.text.size() > room) {
        Fail(node.at, "the output is longer than " + std::to_string(options_.limits.output_bytes) +
                          " bytes");
        return Flow::kFailed;
      }
      out_ += node.text;
      return Flow::kOn;
    }
    case Node::Kind::kAction: {
      Value value;
      if (!Evaluate(dot, node.pipeline, value)) return Flow::kFailed;
      const bool shows = node.pipeline->variables.empty();
      return !shows || Print(node.at, value) ? Flow::kOn : Flow::kFailed;
    }
    case Node::Kind::kIf:
    case Node::Kind::kWith: return WalkChoice(dot, node);
    case Node::Kind::kRange: return WalkRange(dot, node);
    case Node::Kind::kTemplate: return WalkTemplate(dot, node);
    case Node::Kind::kBreak: return Flow::kBreak;
    case Node::Kind::kContinue: return Flow::kContinue;
  }
  return Flow::kOn;
}

Execution::Flow Execution::WalkChoice(const Value& dot, const Node& first) {
  const size_t mark = variables_.size();
  if (!Deeper(first.at)) return Flow::kFailed;
  Flow flow = Flow::kOn;
  for (const Node* node = &first;;) {
    Value value;
    if (!Evaluate(dot, node->pipeline, value)) return Flow::kFailed;
    if (value.truth()) {
      flow = Walk(node->kind == Node::Kind::kWith ? value : dot, *node->list);
      break;
    }
    if (node->other == nullptr) break;
    if (!node->chained) {
      flow = Walk(dot, *node->other);
      break;
    }
    node = &node->other->front();
    if (!Step(node->at, 1)) return Flow::kFailed;
  }
  variables_.resize(mark);
  --depth_;
  return flow;
}

Execution::Flow Execution::WalkItem(const Node& node, const Value& index, const Value& item) {
  const auto& names = node.pipeline->variables;
  const size_t top = variables_.size();
  if (!Step(node.at, 1)) return Flow::kFailed;
  // Two variables: the index comes first. One: it is the item.
  if (!names.empty()) {
    const bool assigns = node.pipeline->assigns;
    Value* last = assigns ? Variable(node.at, names.back()) : &variables_[top - 1].second;
    Value* first =
        assigns ? Variable(node.at, names.front()) : &variables_[top - names.size()].second;
    if (first == nullptr || last == nullptr) return Flow::kFailed;
    if (names.size() > 1) *first = index;
    *last = item;
  }
  const Flow flow = Walk(item, *node.list);
  variables_.resize(top);
  return flow;
}

Execution::Flow Execution::WalkRange(const Value& dot, const Node& node) {
  const size_t mark = variables_.size();
  Value over;
  if (!Deeper(node.at) || !Evaluate(dot, node.pipeline, over)) return Flow::kFailed;
  const size_t inner = variables_.size();
  bool any = false;
  Flow flow = Flow::kOn;
  // True while the loop goes on.
  const auto one = [&](const Value& index, const Value& item) {
    any = true;
    flow = WalkItem(node, index, item);
    variables_.resize(inner);
    if (flow == Flow::kContinue) flow = Flow::kOn;
    return flow == Flow::kOn;
  };
  if (over.kind() == Kind::kList) {
    int64_t index = 0;
    for (const Value& item : over.items()) {
      if (!one(Value::Int(index++), item)) break;
    }
  } else if (over.kind() == Kind::kMap) {
    for (const Entry& entry : over.entries()) {
      if (!one(Value::String(entry.first), entry.second)) break;
    }
  } else if (over.whole()) {
    if (node.pipeline->variables.size() > 1) {
      Fail(node.at, "a number gives range one variable alone");
      return Flow::kFailed;
    }
    const int64_t end =
        over.kind() == Kind::kUint64 ? std::numeric_limits<int64_t>::max() : over.integer();
    for (int64_t i = 0; i < end; ++i) {
      const Value item = over.kind() == Kind::kInt ? Value::Int(i) : Value::Int64(i);
      if (!one(Value(), item)) break;
    }
  } else if (!over.nothing()) {
    Fail(node.at, "range takes a list, an object or a whole number, not a value of type " +
                      std::string(over.TypeName()));
    return Flow::kFailed;
  }
  if (flow == Flow::kBreak) flow = Flow::kOn;
  if (!any && flow == Flow::kOn && node.other != nullptr) flow = Walk(dot, *node.other);
  variables_.resize(mark);
  --depth_;
  return flow;
}

Execution::Flow Execution::WalkTemplate(const Value& dot, const Node& node) {
  Value inner;
  if (!Deeper(node.at)) return Flow::kFailed;
  if (node.pipeline != nullptr && !Evaluate(dot, node.pipeline, inner)) return Flow::kFailed;
  const auto defined = tree_.defined.find(node.text);
  if (defined == tree_.defined.end()) return Flow::kFailed;  // not after the parser
  const size_t mark = variables_.size();
  const size_t first = std::exchange(first_variable_, mark);
  variables_.emplace_back("$", inner);
  const Flow flow = Walk(inner, *defined->second);
  variables_.resize(mark);
  first_variable_ = first;
  --depth_;
  return flow;
}

bool Execution::Evaluate(const Value& dot, const Pipeline* pipeline, Value& out) {
  Value value;
  const Value* piped = nullptr;
  for (const Command& command : pipeline->commands) {
    Value next;
    if (!Evaluate(dot, command, piped, next)) return false;
    value = std::move(next);
    // A pipeline looks into what may hold nothing: null is as if it was not there.
    if (value.nothing()) value = Value();
    piped = &value;
  }
  for (const std::string& name : pipeline->variables) {
    if (pipeline->assigns) {
      Value* variable = Variable(pipeline->at, name);
      if (variable == nullptr) return false;
      *variable = value;
    } else {
      variables_.emplace_back(name, value);
    }
  }
  out = std::move(value);
  return true;
}

bool Execution::Evaluate(const Value& dot, const Command& command, const Value* piped, Value& out) {
  const Operand& first = *command.operands[0];
  if (!Step(command.at, 1)) return false;
  if (first.kind == Operand::Kind::kIdentifier) {
    return EvaluateCall(dot, first, &command, piped, out);
  }
  return Evaluate(dot, first, out);
}

bool Execution::Evaluate(const Value& dot, const Operand& operand, Value& out) {
  switch (operand.kind) {
    case Operand::Kind::kBool: out = Value::Bool(operand.truth); return true;
    case Operand::Kind::kDot: out = dot; return true;
    case Operand::Kind::kNil: out = Value::Null(); return true;
    case Operand::Kind::kNumber: return Number(operand, out);
    case Operand::Kind::kString: out = operand.content; return true;
    case Operand::Kind::kField: out = dot; return Fields(operand.at, operand.names, out);
    case Operand::Kind::kVariable: {
      const Value* variable = Variable(operand.at, operand.text);
      if (variable == nullptr) return false;
      out = *variable;
      return Fields(operand.at, operand.names, out);
    }
    case Operand::Kind::kIdentifier: return EvaluateCall(dot, operand, nullptr, nullptr, out);
    case Operand::Kind::kPipeline: {
      if (!Deeper(operand.at) || !Evaluate(dot, operand.pipeline, out)) return false;
      --depth_;
      return true;
    }
    case Operand::Kind::kChain:
      return Evaluate(dot, *operand.inner, out) && Fields(operand.at, operand.names, out);
  }
  return true;
}

bool Execution::Number(const Operand& operand, Value& out) {
  const Constant& number = operand.number;
  if (number.written_as_float) {
    out = Value::Float(number.real);
    return true;
  }
  if (!number.is_int) return Fail(operand.at, operand.text + " is too large for an int");
  out = Value::Int(number.integer);
  return true;
}

bool Execution::EvaluateCall(const Value& dot, const Operand& name, const Command* command,
                             const Value* piped, Value& out) {
  const Function& function = *name.function;
  if (function.run == nullptr)
    return EvaluateChoice(dot, function.name == "or", *command, piped, out);
  std::vector<Value> arguments;
  const auto type = [&](size_t i) {
    return i < function.fixed.size() ? function.fixed[i] : function.rest.value_or(Type::kAny);
  };
  size_t weight = 1;
  if (command != nullptr) {
    arguments.reserve(command->operands.size());
    for (size_t i = 1; i < command->operands.size(); ++i) {
      const Operand& operand = *command->operands[i];
      if (!Argument(dot, operand, type(i - 1), arguments.emplace_back())) return false;
    }
  }
  if (piped != nullptr) {
    arguments.push_back(*piped);
    if (!Fit(name.at, type(arguments.size() - 1), arguments.back())) return false;
  }
  for (const Value& argument : arguments) {
    weight += Weight(argument);
    if (function.prints && strict() && argument.nothing()) return Missed(name.at);
  }
  const Pattern* pattern = command != nullptr ? command->pattern.get() : nullptr;
  if (function.pattern && pattern == nullptr) weight += kStepsAPattern;
  if (!Step(name.at, weight)) return false;
  Call call(options_, now_, arguments, pattern);
  if (!function.run(call)) {
    return Fail(name.at, std::string(function.name) + ": " + call.error());
  }
  out = call.result();
  return Step(name.at, Weight(out));
}

// and, or: up to the first argument that is false, or true.
bool Execution::EvaluateChoice(const Value& dot, bool until, const Command& command,
                               const Value* piped, Value& out) {
  for (size_t i = 1; i < command.operands.size(); ++i) {
    if (!Argument(dot, *command.operands[i], Type::kAny, out)) return false;
    if (out.truth() == until) return true;
  }
  if (piped != nullptr) out = *piped;
  return true;
}

bool Execution::Argument(const Value& dot, const Operand& operand, Type type, Value& out) {
  switch (operand.kind) {
    case Operand::Kind::kBool:
    case Operand::Kind::kNumber:
    case Operand::Kind::kString:
    case Operand::Kind::kNil: return Literal(operand, type, out);
    default: return Evaluate(dot, operand, out) && Fit(operand.at, type, out);
  }
}

// A literal takes the type of its parameter, and no other.
bool Execution::Literal(const Operand& operand, Type type, Value& out) {
  using Written = Operand::Kind;
  switch (type) {
    case Type::kAny: return Evaluate(Value(), operand, out);
    case Type::kText:
      out = operand.content;
      if (operand.kind == Written::kString) return true;
      break;
    case Type::kInt:
      out = Value::Int(operand.number.integer);
      if (operand.kind == Written::kNumber && operand.number.is_int) return true;
      break;
    case Type::kBool:
      out = Value::Bool(operand.truth);
      if (operand.kind == Written::kBool) return true;
      break;
    case Type::kMap:
      out = Value::Map({});
      if (operand.kind == Written::kNil) return true;
      break;
  }
  return Fail(operand.at, "here stands what is not " + std::string(TypeText(type)));
}

bool Execution::FitText(size_t at, Value& value) {
  if (value.nothing()) {
    if (strict()) return Missed(at);
    value = Value::String("");
    return true;
  }
  if (value.kind() != Kind::kBool && !value.is_number()) {
    return Fail(at,
                "here stands a value of type " + std::string(value.TypeName()) + ", not a text");
  }
  std::string text;
  Formatter(text, {.plain_numbers = true, .bytes_max = options_.limits.output_bytes}).Value(value);
  value = Value::String(std::move(text));
  return true;
}

// Makes the value what a parameter takes, or refuses it. Go takes what has the very type; we also
// take a number that is whole for an int, and a number or a boolean for a text.
bool Execution::Fit(size_t at, Type type, Value& value) {
  const Kind kind = value.kind();
  switch (type) {
    case Type::kAny:
      if (kind == Kind::kMissing) value = Value::Null();
      return true;
    case Type::kText:
      if (kind == Kind::kString) return true;
      if (!options_.parity) return FitText(at, value);
      break;
    case Type::kInt:
      if (kind == Kind::kInt) return true;
      if (!options_.parity &&
          (kind == Kind::kInt64 || kind == Kind::kUint8 ||
           (kind == Kind::kFloat && value.real() == static_cast<double>(ToInt64(value))))) {
        value = Value::Int(ToInt64(value));
        return true;
      }
      break;
    case Type::kBool:
      if (kind == Kind::kBool) return true;
      if (value.nothing() && !options_.parity && !strict()) {
        value = Value::Bool(false);
        return true;
      }
      break;
    case Type::kMap:
      if (kind == Kind::kMap && (!value.holds_texts() || !options_.parity)) return true;
      if (kind == Kind::kMissing || (kind == Kind::kNull && !options_.parity)) {
        value = Value::Map({});
        return true;
      }
      break;
  }
  return Fail(at, "here stands a value of type " + std::string(value.TypeName()) + ", not " +
                      std::string(TypeText(type)));
}

bool Execution::Fields(size_t at, const std::vector<std::string>& names, Value& value) {
  for (const std::string& name : names) {
    if (!Field(at, name, value)) return false;
  }
  return true;
}

bool Execution::Field(size_t at, const std::string& name, Value& value) {
  switch (value.kind()) {
    case Kind::kMap: {
      const Value* found = value.FindField(name);
      if (found == nullptr && options_.dialect == Dialect::kSprig && !options_.parity) {
        found = FindExporterField(value, name);
      }
      // By way of a copy: `found` lies in what `value` may be the last to hold.
      Value next = found != nullptr ? *found : Value();
      value = std::move(next);
      return true;
    }
    case Kind::kMissing: return true;
    case Kind::kNull:
      if (options_.parity) return Fail(at, "null has no field ." + name);
      value = Value();
      return true;
    default:
      if (options_.parity || strict() || value.kind() == Kind::kTime) {
        return Fail(at,
                    "a value of type " + std::string(value.TypeName()) + " has no field ." + name);
      }
      value = Value();
      return true;
  }
}

void Execution::Append(std::string_view text) {
  if (options_.escape == Escape::kNone) {
    out_.append(text);
    return;
  }
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (options_.escape == Escape::kHeader) {
      if (c != '\r' && c != '\n' && c != '\0') out_.push_back(c);
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.' || c == '_' || c == '~') {
      out_.push_back(c);
    } else {
      out_.push_back('%');
      out_.push_back("0123456789ABCDEF"[byte >> 4]);
      out_.push_back("0123456789ABCDEF"[byte & 15]);
    }
  }
}

bool Execution::Print(size_t at, const Value& value) {
  const size_t room = options_.limits.output_bytes - (out_.size() - begin_);
  bool fits = true;
  if (value.nothing()) {
    if (strict()) return Missed(at);
    if (options_.parity) Append("<no value>");
  } else if (value.is_text()) {
    fits = value.text().size() <= room;
    if (fits) Append(value.text());
  } else {
    std::string text;
    Formatter formatter(text, {.plain_numbers = !options_.parity, .bytes_max = room});
    formatter.Value(value);
    fits = formatter.ok();
    if (fits) Append(text);
  }
  if (fits && out_.size() - begin_ <= options_.limits.output_bytes) return true;
  return Fail(
      at, "the output is longer than " + std::to_string(options_.limits.output_bytes) + " bytes");
}

}  // namespace spool::tmpl
