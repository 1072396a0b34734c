#include "net/http_text.h"

#include <array>
#include <cstdio>

namespace spool::net {
namespace {

int Hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr std::array<bool, 256> MakeTokenTable() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<size_t>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<size_t>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kToken = MakeTokenTable();

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

void AppendNumber(uint64_t n, std::string* out) {
  char digits[20];
  char* at = digits + sizeof digits;
  do {
    *--at = static_cast<char>('0' + n % 10);
    n /= 10;
  } while (n != 0);
  out->append(at, static_cast<size_t>(digits + sizeof digits - at));
}

void AppendClean(std::string_view value, std::string* out) {
  if (IsFieldValue(value)) {
    out->append(value);
    return;
  }
  for (const char c : value) out->push_back(IsFieldValue({&c, 1}) ? c : ' ');
}

// Length of the UTF-8 sequence that starts text, 0 if it is none.
size_t Utf8Length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (first == 0xe0 && byte(1) < 0xa0) return 0;
  if (first == 0xed && byte(1) > 0x9f) return 0;
  if (first == 0xf0 && byte(1) < 0x90) return 0;
  if (first == 0xf4 && byte(1) > 0x8f) return 0;
  return length;
}

void AppendJsonString(std::string_view text, std::string* out) {
  out->push_back('"');
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const char c = text[0];
    if (length == 0) {
      out->append("\\ufffd");
    } else if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out->append(escape);
    } else {
      out->append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out->push_back('"');
}

}  // namespace

std::optional<std::string> PercentDecode(std::string_view text, bool but_slash) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = Hex(text[i + 1]);
    const int low = Hex(text[i + 2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
    const char c = static_cast<char>(high * 16 + low);
    if (c == '/' && but_slash) {
      out.append(text.substr(i, 3));
    } else {
      out.push_back(c);
    }
    i += 2;
  }
  return out;
}

bool IsToken(std::string_view text) {
  for (const char c : text) {
    if (!kToken[static_cast<unsigned char>(c)]) return false;
  }
  return !text.empty();
}

bool IsFieldValue(std::string_view text) {
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if ((u < 0x20 && c != '\t') || u == 0x7f) return false;
  }
  return true;
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (Lower(a[i]) != Lower(b[i])) return false;
  }
  return true;
}

std::string EndpointText(const std::string& address, int port) {
  const bool v6 = address.find(':') != address.npos;
  return (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

std::string HttpDate(std::time_t t) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm tm{};
  gmtime_r(&t, &tm);
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[tm.tm_wday],
                tm.tm_mday, kMonths[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
                tm.tm_sec);
  return text;
}

const std::string& DateClock::Now() {
  const std::time_t now = std::time(nullptr);
  if (now != second_) {
    second_ = now;
    text_ = HttpDate(now);
  }
  return text_;
}

std::string_view StatusText(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 207: return "Multi-Status";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Payload Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "";
  }
}

bool StatusHasBody(int status) { return status >= 200 && status != 204 && status != 304; }

void AppendHead(const HttpResponse& response, const Framing& framing, std::string_view date,
                std::string* out) {
  out->append("HTTP/1.1 ");
  AppendNumber(static_cast<uint64_t>(response.status), out);
  out->push_back(' ');
  out->append(StatusText(response.status));
  out->append("\r\nDate: ");
  out->append(date);
  if (!response.content_type.empty()) {
    out->append("\r\nContent-Type: ");
    AppendClean(response.content_type, out);
  }
  if (StatusHasBody(response.status)) {
    out->append("\r\nContent-Length: ");
    AppendNumber(response.body.size(), out);
  }
  for (const auto& [name, value] : response.headers) {
    // The framing is the server's; a second opinion on it would let two readers disagree.
    if (!IsToken(name) || EqualsIgnoringCase(name, "content-length") ||
        EqualsIgnoringCase(name, "transfer-encoding") || EqualsIgnoringCase(name, "connection")) {
      continue;
    }
    out->append("\r\n");
    out->append(name);
    out->append(": ");
    AppendClean(value, out);
  }
  if (framing.close) {
    out->append("\r\nConnection: close");
  } else if (framing.keep_alive_1_0) {
    out->append("\r\nConnection: keep-alive");
  }
  out->append("\r\n\r\n");
}

HttpResponse Problem(int status, std::string_view code, std::string_view detail, int64_t offset,
                     int retry_after) {
  HttpResponse response;
  response.status = status;
  response.content_type = "application/problem+json";
  std::string& body = response.body;
  body = "{\"type\":\"about:blank\",\"title\":";
  AppendJsonString(StatusText(status), &body);
  body += ",\"status\":";
  AppendNumber(static_cast<uint64_t>(status), &body);
  body += ",\"code\":";
  AppendJsonString(code, &body);
  body += ",\"detail\":";
  AppendJsonString(detail, &body);
  if (offset >= 0) {
    body += ",\"offset\":";
    AppendNumber(static_cast<uint64_t>(offset), &body);
  }
  body += "}\n";
  if (retry_after > 0) response.headers.emplace_back("Retry-After", std::to_string(retry_after));
  return response;
}

std::string_view HttpRequest::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

std::string HttpRequest::QueryParam(std::string_view name, bool* found) const {
  if (found != nullptr) *found = false;
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const size_t equals = std::min(pair.find('='), pair.size());
    // A '+' stays a plus: it is more often a time zone's sign than somebody's space.
    const std::string_view key = pair.substr(0, equals);
    if (key != name && PercentDecode(key) != name) continue;
    if (found != nullptr) *found = true;
    const std::string_view value = pair.substr(std::min(pair.size(), equals + 1));
    return PercentDecode(value).value_or(std::string(value));
  }
  return {};
}

}  // namespace spool::net
