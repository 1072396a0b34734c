// A request's head: found in the bytes, checked, and taken apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "net/body_decoder.h"
#include "net/http_server.h"

namespace spool::net {

// Looks for the end of a head while its bytes come in, and refuses at the first byte that has no
// place in one: bare CR or LF, NUL and other controls, folded lines, white space before a colon.
// So nobody holds a connection with bytes that cannot become a request.
class HeadScanner {
 public:
  enum class Outcome { kMore, kWhole, kBad };
  // `text` is the head from its first byte on, each time longer. When kWhole, length() says how
  // long the head is, its empty line included; when kBad, why() says what was wrong.
  Outcome Scan(std::string_view text);
  size_t length() const { return line_start_; }
  const char* why() const { return why_; }
  size_t lines() const { return lines_; }  // the request line and the fields so far

 private:
  bool Line(std::string_view line);

  size_t line_start_ = 0;
  size_t scanned_ = 0;  // no LF before here in the line
  size_t lines_ = 0;
  const char* why_ = "";
};

struct RequestHead {
  HttpRequest request;  // all but body and peer
  bool keep_alive = false;
  bool http_1_0 = false;
  bool chunked = false;
  bool expect_continue = false;
  uint64_t content_length = 0;
  bool has_body = false;  // a length (even 0) or chunks were announced
  Coding coding = Coding::kIdentity;
  bool framed = false;  // the rest of the connection can be made sense of even if refused
};

// Takes apart one whole head that the scanner passed. The answer to give when it is refused:
// 400 bad_request, 415 unsupported_encoding, 417 expectation_failed, 431 header_too_large,
// 501 unsupported_transfer_coding or method_not_implemented, 505 version_not_supported.
std::optional<HttpResponse> ParseHead(std::string_view text, RequestHead* head);

}  // namespace spool::net
