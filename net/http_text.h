// The small texts of HTTP: percent escapes, dates, and an answer's head.
#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_server.h"

namespace spool::net {

// Undoes %XX, but not %2F if `but_slash`. Empty when an escape is malformed or stands for NUL.
std::optional<std::string> PercentDecode(std::string_view text, bool but_slash = false);

// token of RFC 9110 5.6.2: what a method and a header name are made of; not empty.
bool IsToken(std::string_view text);
// What a header value may hold: tab, space, visible bytes, and bytes above 0x7f.
bool IsFieldValue(std::string_view text);
bool EqualsIgnoringCase(std::string_view a, std::string_view b);

// "127.0.0.1:8080" and "[::1]:8080".
std::string EndpointText(const std::string& address, int port);

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string HttpDate(std::time_t t);
// The same of the machine's time, made once a second. One thread.
class DateClock {
 public:
  const std::string& Now();

 private:
  std::time_t second_ = 0;
  std::string text_;
};
// "Payload Too Large"; empty for a status without a name.
std::string_view StatusText(int status);

// How one answer is to be framed on the connection.
struct Framing {
  bool head_only = false;       // the request was a HEAD: the body is left out
  bool close = false;           // the connection ends with it
  bool keep_alive_1_0 = false;  // an HTTP/1.0 client asked to keep it
};
// Appends status line and headers, up to and with the empty line. Whatever `response` holds, the
// head is well formed: header names that are no token are left out, control bytes become spaces.
void AppendHead(const HttpResponse& response, const Framing& framing, std::string_view date,
                std::string* out);
// Whether an answer of that status has a body at all.
bool StatusHasBody(int status);

}  // namespace spool::net
