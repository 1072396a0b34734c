// Templates in the syntax of Go's text/template (https://pkg.go.dev/text/template): compiled once,
// then rendered with one event after another. No library of C++ has this syntax.
//
// All of that language is here but complex numbers, methods and `call`; docs/mappings.md lists the
// functions. A template sees its root value and a clock that the caller reads for it: no file, no
// network, no environment, nothing random. What it may use up is bounded by TemplateLimits.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "forward/template/value.h"

namespace spool {

enum class Dialect {
  kGo,     // functions that Go's package strings has too take their arguments in its order:
           // contains TEXT PART
  kSprig,  // in sprig's, as in layouts of kubernetes-event-exporter: contains PART TEXT; and fields
           // may be called as that program does (.InvolvedObject.Name, .GetTimestampMs)
};

// What becomes of a value that the event does not have, or that is null.
enum class Missing {
  kEmpty,  // printed, and taken for a text, it is the empty text; a path through it finds nothing
  kError,  // printed, or taken for a text, it fails the rendering. `if`, `default` and the like may
           // still ask for it
};

// What is done to each value that an action prints; text around the actions stays as it is.
enum class Escape {
  kNone,
  kHeader,   // for a header's value: CR, LF and NUL are left out
  kUrlPart,  // percent-encoded but for letters, digits, '-', '.', '_' and '~'
};

struct TemplateLimits {
  size_t source_bytes = 64 << 10;
  size_t output_bytes = 1 << 20;  // of one rendering, and of each text that is made on the way
  size_t steps = 100'000;         // actions and function calls; a large text counts for several
  size_t depth = 64;              // blocks, parentheses and {{template}} calls in each other
};

struct TemplateOptions {
  Dialect dialect = Dialect::kGo;
  Missing missing = Missing::kEmpty;
  Escape escape = Escape::kNone;
  // Everything as real Go has it, what we do otherwise on purpose included: `<no value>`, numbers
  // that are compared by type and printed as floats, texts that are cut inside of a character. The
  // root must come from ParseTemplateData with the same flag. For tests.
  bool parity = false;
  TemplateLimits limits;
};

// What may be meant otherwise than it is written.
struct TemplateWarning {
  std::string place;    // "LINE:COLUMN", both from 1, columns in characters
  std::string message;  // one sentence
};

// A compiled template. Immutable; any thread; copying is cheap.
class Template {
 public:
  // kInvalid, "LINE:COLUMN: what is wrong", when the template is not well formed, calls what is not
  // there or in a way that can never be right, or is larger or deeper than the limits.
  static Result<Template> Compile(std::string_view source, const TemplateOptions& options = {});

  // Appends what the template makes of `root`; `now` is what the function now gives. kInvalid,
  // "LINE:COLUMN: what is wrong", when an action cannot be done with this root or a limit is
  // reached; `out` is then as it was. The message holds nothing of the event. The same
  // root and clock give the same bytes.
  Status Render(const tmpl::Value& root, SystemTime now, std::string& out) const;

  // True when it has no action: it renders its own text, whatever the root.
  bool constant() const;
  const std::vector<TemplateWarning>& warnings() const;

 private:
  struct Impl;
  explicit Template(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

// An event's data as a root, or part of one. kInvalid when it is not JSON.
Result<tmpl::Value> ParseTemplateData(std::string_view json, bool parity = false);

}  // namespace spool
