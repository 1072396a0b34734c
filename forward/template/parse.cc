#include <algorithm>
#include <array>
#include <utility>

#include "forward/template/function.h"
#include "forward/template/lexer.h"
#include "forward/template/literal.h"
#include "forward/template/tree.h"
#include "forward/template/unicode.h"

namespace spool::tmpl {
namespace {

bool BeginsOperand(Token token) {
  switch (token) {
    case Token::kBool:
    case Token::kCharacter:
    case Token::kDot:
    case Token::kField:
    case Token::kIdentifier:
    case Token::kNumber:
    case Token::kNil:
    case Token::kRawString:
    case Token::kString:
    case Token::kVariable:
    case Token::kLeftParen: return true;
    default: return false;
  }
}

std::string Described(const Item& item) {
  if (item.token == Token::kEnd) return "end of the template";
  std::string text;
  AppendQuoted(text, FirstRunes(item.text, 20));
  return text;
}

bool IsBlankText(const NodeList& list) {
  for (const Node& node : list) {
    if (node.kind != Node::Kind::kText || !TrimSpace(node.text).empty()) return false;
  }
  return true;
}

class Parser {
 public:
  Parser(Tree& tree, const FunctionTable& functions, const ParseLimits& limits)
      : tree_(tree), functions_(functions), limits_(limits), lexer_(tree.source) {}

  Status Run() {
    if (!Top() || !CheckCalls())
      return Fail(Code::kInvalid, tree_.Place(error_at_) + ": " + error_);
    return {};
  }

 private:
  enum class Stop { kEnd, kElse };

  // Tokens, with room to take three of them back.
  const Item& Next() {
    if (back_ > 0) {
      --back_;
    } else {
      items_[0] = lexer_.Next();
    }
    return items_[back_];
  }
  void Back() { ++back_; }
  void Back(const Item& item) {
    items_[1] = item;
    back_ = 2;
  }
  void Back(const Item& first, const Item& second) {
    items_[1] = second;
    items_[2] = first;
    back_ = 3;
  }
  const Item& Peek() {
    if (back_ > 0) return items_[back_ - 1];
    back_ = 1;
    items_[0] = lexer_.Next();
    return items_[0];
  }
  Item NextNonSpace() {
    while (true) {
      const Item item = Next();
      if (item.token != Token::kSpace) return item;
    }
  }
  Item PeekNonSpace() {
    const Item item = NextNonSpace();
    Back();
    return item;
  }

  bool Wrong(size_t at, std::string message) {
    error_at_ = at;
    error_ = std::move(message);
    return false;
  }
  bool Unexpected(const Item& item, std::string_view where) {
    if (item.token == Token::kError) return Wrong(item.at, std::string(item.text));
    return Wrong(item.at, "unexpected " + Described(item) + " in " + std::string(where));
  }
  bool Expect(Token token, std::string_view where) {
    const Item item = NextNonSpace();
    return item.token == token || Unexpected(item, where);
  }
  bool Deeper(size_t at) {
    if (++depth_ <= limits_.depth_max) return true;
    return Wrong(at, "blocks and parentheses stand in each other more than " +
                         std::to_string(limits_.depth_max) + " deep");
  }

  const NodeList* Keep(NodeList list) {
    tree_.lists.push_back(std::move(list));
    return &tree_.lists.back();
  }
  Operand* NewOperand(Operand::Kind kind, size_t at) {
    tree_.operands.emplace_back();
    tree_.operands.back().kind = kind;
    tree_.operands.back().at = at;
    return &tree_.operands.back();
  }

  bool Top() {
    NodeList list;
    while (Peek().token != Token::kEnd) {
      if (Peek().token == Token::kLeftDelim) {
        const Item delim = Next();
        if (NextNonSpace().token == Token::kDefine) {
          if (!Definition()) return false;
          continue;
        }
        Back(delim);
      }
      Stop stop{};
      bool stopped = false;
      const size_t at = Peek().at;
      if (!TextOrAction(list, stop, stopped)) return false;
      if (stopped) {
        return Wrong(at, stop == Stop::kEnd ? "unexpected {{end}}: there is no block to end"
                                            : "unexpected {{else}}: there is no block for it");
      }
    }
    tree_.root = Keep(std::move(list));
    return true;
  }

  // After "define".
  bool Definition() {
    std::string name;
    const Item item = NextNonSpace();
    if (!TemplateName(item, "define clause", name)) return false;
    if (!Expect(Token::kRightDelim, "define clause")) return false;
    return Body(item.at, name, "define clause");
  }

  // What a name stands for: sees no variables of what is around it.
  bool Body(size_t at, const std::string& name, std::string_view where) {
    const auto outer = std::exchange(variables_, {"$"});
    const size_t ranges = std::exchange(ranges_, 0);
    NodeList list;
    Stop stop{};
    if (!Deeper(at) || !List(list, stop)) return false;
    if (stop != Stop::kEnd) return Wrong(at, "unexpected {{else}} in " + std::string(where));
    --depth_;
    variables_ = outer;
    ranges_ = ranges;
    const auto before = tree_.defined.find(name);
    if (before == tree_.defined.end() || IsBlankText(*before->second)) {
      tree_.defined[name] = Keep(std::move(list));
    } else if (!IsBlankText(list)) {
      return Wrong(at, "the template \"" + name + "\" is defined twice");
    }
    return true;
  }

  bool TemplateName(const Item& item, std::string_view where, std::string& name) {
    if (item.token != Token::kString && item.token != Token::kRawString) {
      return Unexpected(item, where);
    }
    const auto text = UnquoteText(item.text);
    if (!text) return Wrong(item.at, "the text " + std::string(item.text) + " has a bad escape");
    name = *text;
    return true;
  }

  // Up to {{end}} or {{else}}.
  bool List(NodeList& list, Stop& stop) {
    while (PeekNonSpace().token != Token::kEnd) {
      bool stopped = false;
      if (!TextOrAction(list, stop, stopped)) return false;
      if (stopped) return true;
    }
    return Wrong(tree_.source.size(), "the template ends inside a block: an {{end}} is missing");
  }

  bool TextOrAction(NodeList& list, Stop& stop, bool& stopped) {
    const Item item = NextNonSpace();
    if (item.token == Token::kText) {
      Node& node = list.emplace_back();
      node.at = item.at;
      node.text = item.text;
      return true;
    }
    if (item.token != Token::kLeftDelim) return Unexpected(item, "the template");
    const Item word = NextNonSpace();
    switch (word.token) {
      case Token::kEndWord:
        stopped = true;
        stop = Stop::kEnd;
        return Expect(Token::kRightDelim, "end");
      case Token::kElse: {
        stopped = true;
        stop = Stop::kElse;
        const Token next = PeekNonSpace().token;
        return next == Token::kIf || next == Token::kWith || Expect(Token::kRightDelim, "else");
      }
      case Token::kIf:
      case Token::kWith:
      case Token::kRange: return Control(word, list.emplace_back());
      case Token::kTemplate: return Call(list.emplace_back());
      case Token::kBlock: return Block(list.emplace_back());
      case Token::kBreak: return Leave(word, Node::Kind::kBreak, list.emplace_back());
      case Token::kContinue: return Leave(word, Node::Kind::kContinue, list.emplace_back());
      default: break;
    }
    Back();
    Node& node = list.emplace_back();
    node.kind = Node::Kind::kAction;
    node.at = word.at;
    return ParsePipeline("command", Token::kRightDelim, node.pipeline);
  }

  bool Leave(const Item& word, Node::Kind kind, Node& node) {
    node.kind = kind;
    node.at = word.at;
    const std::string name = kind == Node::Kind::kBreak ? "{{break}}" : "{{continue}}";
    if (!Expect(Token::kRightDelim, name)) return false;
    return ranges_ > 0 || Wrong(word.at, name + " stands outside of {{range}}");
  }

  // if, with and range; a chain of {{else if}} is followed in a loop, so that its length is no
  // depth.
  bool Control(const Item& word, Node& first) {
    const size_t mark = variables_.size();
    if (!Deeper(word.at)) return false;
    const bool ranges = word.token == Token::kRange;
    const std::string_view context = word.text;
    Node* node = &first;
    for (size_t at = word.at;;) {
      node->kind = word.token == Token::kIf     ? Node::Kind::kIf
                   : word.token == Token::kWith ? Node::Kind::kWith
                                                : Node::Kind::kRange;
      node->at = at;
      NodeList list;
      Stop stop{};
      if (!ParsePipeline(context, Token::kRightDelim, node->pipeline)) return false;
      ranges_ += ranges ? 1 : 0;
      if (!List(list, stop)) return false;
      ranges_ -= ranges ? 1 : 0;
      node->list = Keep(std::move(list));
      if (stop == Stop::kEnd) break;
      if (!ranges && Peek().token == word.token) {
        at = Next().at;
        tree_.lists.emplace_back(1);
        node->other = &tree_.lists.back();
        node->chained = true;
        node = &tree_.lists.back()[0];
        continue;
      }
      NodeList other;
      const size_t here = Peek().at;
      if (!List(other, stop)) return false;
      if (stop != Stop::kEnd) return Wrong(here, "a block has two {{else}}");
      node->other = Keep(std::move(other));
      break;
    }
    --depth_;
    variables_.resize(mark);
    return true;
  }

  bool Call(Node& node) {
    const Item item = NextNonSpace();
    node.kind = Node::Kind::kTemplate;
    node.at = item.at;
    if (!TemplateName(item, "template clause", node.text)) return false;
    calls_.emplace_back(node.text, item.at);
    if (NextNonSpace().token == Token::kRightDelim) return true;
    Back();
    return ParsePipeline("template clause", Token::kRightDelim, node.pipeline);
  }

  bool Block(Node& node) {
    const Item item = NextNonSpace();
    node.kind = Node::Kind::kTemplate;
    node.at = item.at;
    // `node` lies in a list that does not grow before this returns.
    return TemplateName(item, "block clause", node.text) &&
           ParsePipeline("block clause", Token::kRightDelim, node.pipeline) &&
           Body(item.at, node.text, "block clause");
  }

  // What stands before := or =, and in range the two names before it. A name alone is an argument.
  bool Declarations(Pipeline& pipeline, std::string_view context) {
    while (PeekNonSpace().token == Token::kVariable) {
      const Item variable = NextNonSpace();
      const Item after = Peek();
      const Item next = PeekNonSpace();
      if (next.token == Token::kAssign || next.token == Token::kDeclare) {
        pipeline.assigns = next.token == Token::kAssign;
        NextNonSpace();
        pipeline.variables.emplace_back(variable.text);
        break;
      }
      if (next.token != Token::kComma) {
        if (after.token == Token::kSpace) {
          Back(variable, after);
        } else {
          Back(variable);
        }
        break;
      }
      NextNonSpace();
      pipeline.variables.emplace_back(variable.text);
      if (context != "range" || pipeline.variables.size() >= 2) {
        return Wrong(next.at, "too many variables before := in " + std::string(context));
      }
      const Token token = PeekNonSpace().token;
      if (token != Token::kVariable && token != Token::kRightDelim && token != Token::kRightParen) {
        return Wrong(next.at, "range can only declare variables here");
      }
    }
    for (const std::string& name : pipeline.variables) {
      if (!pipeline.assigns) {
        variables_.push_back(name);
      } else if (!Declared(name)) {
        return Wrong(pipeline.at, "there is no variable " + name + " here; := makes one");
      }
    }
    return true;
  }
  bool Declared(std::string_view name) const {
    return std::find(variables_.begin(), variables_.end(), name) != variables_.end();
  }

  bool ParsePipeline(std::string_view context, Token end, const Pipeline*& made) {
    tree_.pipelines.emplace_back();
    Pipeline& pipeline = tree_.pipelines.back();
    pipeline.at = PeekNonSpace().at;
    made = &pipeline;
    if (!Declarations(pipeline, context)) return false;
    while (true) {
      const Item item = NextNonSpace();
      if (item.token == end) break;
      if (!BeginsOperand(item.token)) return Unexpected(item, context);
      Back();
      if (!ParseCommand(pipeline.commands.emplace_back())) return false;
    }
    if (pipeline.commands.empty()) {
      return Wrong(pipeline.at, "a value is missing in " + std::string(context));
    }
    for (size_t i = 0; i < pipeline.commands.size(); ++i) {
      if (!CheckCommand(pipeline.commands[i], i)) return false;
    }
    return true;
  }

  // `stage` 0 is the first command of its pipeline.
  bool CheckCommand(const Command& command, size_t stage) {
    const Operand& first = *command.operands[0];
    const size_t given = command.operands.size() - 1 + (stage > 0 ? 1 : 0);
    if (first.kind == Operand::Kind::kIdentifier) {
      return CheckCount(first, given);
    }
    if (first.kind == Operand::Kind::kNil) return Wrong(first.at, "nil alone is no command");
    if (given > 0) {
      return Wrong(first.at, stage > 0 ? "what stands after | must be a function"
                                       : "only a function takes arguments");
    }
    return true;
  }
  bool CheckCount(const Operand& name, size_t given) {
    std::string wrong = FunctionTable::WrongCount(*name.function, given);
    return wrong.empty() || Wrong(name.at, std::move(wrong));
  }

  bool ParseCommand(Command& command) {
    command.at = PeekNonSpace().at;
    while (true) {
      PeekNonSpace();
      const Operand* operand = nullptr;
      if (!ParseOperand(operand)) return false;
      if (operand != nullptr) {
        // A function among the arguments is called without any.
        if (!command.operands.empty() && operand->kind == Operand::Kind::kIdentifier &&
            !CheckCount(*operand, 0)) {
          return false;
        }
        command.operands.push_back(operand);
      }
      const Item item = Next();
      if (item.token == Token::kSpace) continue;
      if (item.token == Token::kRightDelim || item.token == Token::kRightParen) {
        Back();
      } else if (item.token != Token::kPipe) {
        return Unexpected(item, "operand");
      }
      break;
    }
    return !command.operands.empty() || Wrong(command.at, "a command is empty");
  }

  bool ParseOperand(const Operand*& made) {
    Operand* operand = nullptr;
    if (!Term(operand)) return false;
    made = operand;
    if (operand == nullptr || Peek().token != Token::kField) return true;
    const size_t at = Peek().at;
    switch (operand->kind) {
      case Operand::Kind::kField:
      case Operand::Kind::kVariable: break;
      case Operand::Kind::kIdentifier:
        if (!CheckCount(*operand, 0)) return false;
        [[fallthrough]];
      case Operand::Kind::kPipeline: {
        Operand* chain = NewOperand(Operand::Kind::kChain, at);
        chain->inner = operand;
        made = operand = chain;
        break;
      }
      default: return Wrong(at, "a literal has no fields");
    }
    while (Peek().token == Token::kField) operand->names.emplace_back(Next().text.substr(1));
    return true;
  }

  // Null, and the token left where it is, when there is none.
  bool Term(Operand*& made) {
    const Item item = NextNonSpace();
    switch (item.token) {
      case Token::kIdentifier: {
        const Function* function = functions_.Find(item.text);
        if (function == nullptr) {
          const std::string hint = functions_.Hint(item.text);
          return Wrong(item.at, "there is no function \"" + std::string(item.text) + "\"" +
                                    (hint.empty() ? "" : "; " + hint));
        }
        made = NewOperand(Operand::Kind::kIdentifier, item.at);
        made->function = function;
        made->text = item.text;
        return true;
      }
      case Token::kDot: made = NewOperand(Operand::Kind::kDot, item.at); return true;
      case Token::kNil: made = NewOperand(Operand::Kind::kNil, item.at); return true;
      case Token::kVariable:
        if (!Declared(item.text)) {
          return Wrong(item.at, "there is no variable " + std::string(item.text) + " here");
        }
        made = NewOperand(Operand::Kind::kVariable, item.at);
        made->text = item.text;
        return true;
      case Token::kField:
        made = NewOperand(Operand::Kind::kField, item.at);
        made->names.emplace_back(item.text.substr(1));
        return true;
      case Token::kBool:
        made = NewOperand(Operand::Kind::kBool, item.at);
        made->truth = item.text == "true";
        return true;
      case Token::kCharacter:
      case Token::kNumber: {
        const auto number = ParseConstant(item.text);
        if (!number) {
          return Wrong(item.at, "no number, or too large a one: " + std::string(item.text));
        }
        made = NewOperand(Operand::Kind::kNumber, item.at);
        made->number = *number;
        made->text = item.text;
        return true;
      }
      case Token::kLeftParen:
        if (!Deeper(item.at)) return false;
        made = NewOperand(Operand::Kind::kPipeline, item.at);
        if (!ParsePipeline("parentheses", Token::kRightParen, made->pipeline)) return false;
        --depth_;
        return true;
      case Token::kString:
      case Token::kRawString: {
        auto text = UnquoteText(item.text);
        if (!text)
          return Wrong(item.at, "the text " + std::string(item.text) + " has a bad escape");
        made = NewOperand(Operand::Kind::kString, item.at);
        made->content = Value::String(*std::move(text));
        return true;
      }
      default: Back(); return true;
    }
  }

  bool CheckCalls() {
    for (const auto& [name, at] : calls_) {
      if (!tree_.defined.contains(name)) {
        return Wrong(at, "the template \"" + name + "\" is not defined");
      }
    }
    return true;
  }

  Tree& tree_;
  const FunctionTable& functions_;
  const ParseLimits limits_;
  Lexer lexer_;
  std::array<Item, 3> items_;
  size_t back_ = 0;
  std::vector<std::string> variables_ = {"$"};
  std::vector<std::pair<std::string, size_t>> calls_;
  size_t ranges_ = 0;
  size_t depth_ = 0;
  size_t error_at_ = 0;
  std::string error_;
};

}  // namespace

std::string Tree::Place(size_t at) const {
  const std::string_view before = std::string_view(source).substr(0, at);
  size_t line = 1;
  for (const char c : before) line += c == '\n' ? 1 : 0;
  const size_t last = before.rfind('\n');
  const size_t column = RuneCount(before.substr(last == before.npos ? 0 : last + 1)) + 1;
  return std::to_string(line) + ":" + std::to_string(column);
}

Result<std::shared_ptr<Tree>> Parse(std::string source, const FunctionTable& functions,
                                    const ParseLimits& limits) {
  auto tree = std::make_shared<Tree>();
  tree->source = std::move(source);
  const Status parsed = Parser(*tree, functions, limits).Run();
  if (!parsed) return tl::unexpected(parsed.error());
  return tree;
}

}  // namespace spool::tmpl
