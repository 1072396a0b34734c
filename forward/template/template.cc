#include "forward/template/template.h"

#include <utility>

#include "forward/template/exec.h"
#include "forward/template/function.h"
#include "forward/template/json.h"
#include "forward/template/tree.h"

namespace spool {

using tmpl::Command;
using tmpl::Function;
using tmpl::Operand;
using tmpl::Tree;

struct Template::Impl {
  TemplateOptions options;
  std::shared_ptr<const Tree> tree;
  std::vector<TemplateWarning> warnings;
};

namespace {

bool IsLiteral(const Operand& operand) {
  return operand.kind == Operand::Kind::kString || operand.kind == Operand::Kind::kNumber;
}

// "contains .reason "Failed"" means one thing in Go's order and another in sprig's, and neither
// refuses the other: the answer is only false for ever. A literal in the place of the text that is
// looked into, with something of the event to be found in it, is nearly always that mistake.
void CheckOrder(const Tree& tree, const Command& command, Dialect dialect,
                std::vector<TemplateWarning>& warnings) {
  const Operand& name = *command.operands[0];
  if (name.kind != Operand::Kind::kIdentifier || name.function->looked_into < 0) return;
  const Function& function = *name.function;
  // An argument that comes through the pipe is the last, and no literal.
  const auto literal = [&](int place) {
    const size_t at = static_cast<size_t>(place) + 1;
    return at < command.operands.size() && IsLiteral(*command.operands[at]);
  };
  if (!literal(function.looked_into) || literal(function.looked_for)) return;
  const std::string called(function.name);
  const bool go = dialect == Dialect::kGo;
  const std::string order = called == "join" ? (go ? "the list first, then what stands between"
                                                   : "what stands between first, then the list")
                            : go             ? "the text first, then the part of it"
                                             : "the part first, then the text that it is a part of";
  warnings.push_back(
      {tree.Place(name.at), called + " takes " + order + " (dialect: " + (go ? "go" : "sprig") +
                                "); a literal stands where the " +
                                (called == "join" ? "list" : "text") + " should be"});
}

// An expression that is written in the template is compiled with it.
Status CompilePattern(const Tree& tree, Command& command) {
  const Operand& name = *command.operands[0];
  if (name.kind != Operand::Kind::kIdentifier || !name.function->pattern) return {};
  if (command.operands.size() < 2 || command.operands[1]->kind != Operand::Kind::kString) return {};
  auto pattern = tmpl::Pattern::Compile(command.operands[1]->content.text());
  if (!pattern) {
    return Fail(Code::kInvalid,
                tree.Place(command.operands[1]->at) + ": " + pattern.error().message);
  }
  command.pattern = *std::move(pattern);
  return {};
}

}  // namespace

Result<Template> Template::Compile(std::string_view source, const TemplateOptions& options) {
  if (source.size() > options.limits.source_bytes) {
    return Fail(Code::kInvalid, "1:1: the template is longer than " +
                                    std::to_string(options.limits.source_bytes) + " bytes");
  }
  auto tree = tmpl::Parse(std::string(source), tmpl::FunctionTable::Of(options.dialect),
                          {.depth_max = options.limits.depth});
  if (!tree) return tl::unexpected(tree.error());
  auto impl = std::make_shared<Impl>();
  for (tmpl::Pipeline& pipeline : (*tree)->pipelines) {
    for (Command& command : pipeline.commands) {
      CheckOrder(**tree, command, options.dialect, impl->warnings);
      // In parity mode a bad expression waits until it is used, as in Go.
      const Status compiled = CompilePattern(**tree, command);
      if (!compiled && !options.parity) return tl::unexpected(compiled.error());
    }
  }
  impl->options = options;
  impl->tree = *std::move(tree);
  return Template(std::move(impl));
}

Status Template::Render(const tmpl::Value& root, SystemTime now, std::string& out) const {
  const size_t before = out.size();
  Status done = tmpl::Execution(*impl_->tree, impl_->options, now, out).Run(root);
  if (!done) out.resize(before);
  return done;
}

bool Template::constant() const {
  for (const tmpl::Node& node : *impl_->tree->root) {
    if (node.kind != tmpl::Node::Kind::kText) return false;
  }
  return true;
}

const std::vector<TemplateWarning>& Template::warnings() const { return impl_->warnings; }

Result<tmpl::Value> ParseTemplateData(std::string_view json, bool parity) {
  return tmpl::ParseJson(json, parity ? tmpl::Numbers::kGo : tmpl::Numbers::kExact);
}

}  // namespace spool
