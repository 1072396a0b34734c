// The small change of text formats: JSON strings, base64, percent-encoding, UTF-8 cuts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace spool {

// Appends the text that a raw JSON string (between its quotes) stands for. False, with nothing
// sensible appended, on a malformed escape or a lone surrogate.
bool AppendUnescaped(std::string_view raw, std::string* out);

// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string_view text, std::string* out);

// Standard alphabet, padded or not; empty on anything else.
std::optional<std::string> DecodeBase64(std::string_view text);

// Standard alphabet, padded.
std::string EncodeBase64(std::string_view bytes);

// Decodes %XX once. Empty if a percent sign is not followed by two hex digits.
std::optional<std::string> PercentDecode(std::string_view text);

// Keeps A-Z a-z 0-9 - . _ ~ and encodes the rest, for a URI path segment.
std::string PercentEncode(std::string_view text);

// True if every byte belongs to well-formed UTF-8.
bool IsUtf8(std::string_view text);

// Where the first byte that does not belong to UTF-8 is; the size if there is none.
size_t Utf8FaultAt(std::string_view text);

// The longest prefix of at most `max` bytes that does not cut a character.
std::string_view CutUtf8(std::string_view text, size_t max);

std::string AsciiLower(std::string_view text);

}  // namespace spool
