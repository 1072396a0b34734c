// Secrets inside of a text: what may be told by shape, and what stands behind a word that announces
// one.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "ingest/redact_names.h"
#include "ingest/redaction.h"

namespace spool {

struct TextSpan {
  size_t begin = 0;
  size_t end = 0;
  RedactionRule rule = RedactionRule::kPatterns;
};

// Appends what is to be hidden in `text`, in order, without overlap. Linear. What is hidden already
// is left.
void FindSecrets(std::string_view text, const Redaction& redaction, NameTable* names,
                 std::vector<TextSpan>* out);

// "[redacted:" and 16 hex digits and "]" at `at`; its size, or 0.
size_t MarkAt(std::string_view text, size_t at);
inline constexpr std::string_view kMarkHead = "[redacted:";
inline constexpr size_t kMarkDigits = 16;
inline constexpr size_t kMarkSize = kMarkHead.size() + kMarkDigits + 1;

// A flag that announces its next argument as a secret: "--password", not "--password=x".
bool IsSecretFlag(std::string_view argument, NameTable* names);
// Programs whose -p (or -a, -w, -u) is a password: "mysql", "/usr/bin/sshpass".
char PasswordFlagOf(std::string_view program);

}  // namespace spool
