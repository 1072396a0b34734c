#include "net/http_head.h"

#include <boost/beast/http/basic_parser.hpp>
#include <cstring>
#include <limits>
#include <string>

#include "net/http_text.h"

namespace spool::net {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using beast::error_code;
using BeastView = beast::string_view;

constexpr size_t kFieldsMax = 256;

std::string_view View(BeastView v) { return {v.data(), v.size()}; }

std::string Lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Calls `visit` with each element of a comma-separated list.
template <class Visit>
void EachInList(std::string_view list, Visit visit) {
  while (true) {
    const size_t comma = list.find(',');
    visit(Trim(list.substr(0, comma)));
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

// What matters to us of the fields, gathered while Beast walks them. Bodies are not Beast's
// business here: it is given whole heads only.
class HeadParser final : public http::basic_parser<true> {
 public:
  explicit HeadParser(RequestHead* head) : head_(*head) {
    header_limit(std::numeric_limits<std::uint32_t>::max());  // the reader holds the limit
    body_limit(boost::none);
  }

  std::string_view target;
  int version = 0;
  size_t fields = 0;
  size_t hosts = 0;
  size_t lengths = 0;
  size_t transfer_codings = 0;
  size_t content_codings = 0;
  std::string_view host;
  std::string_view length;
  std::string_view transfer_coding;
  std::string_view content_coding;
  std::string expect;
  bool close = false;
  bool keep = false;

 private:
  void on_request_impl(http::verb, BeastView method, BeastView request_target, int http_version,
                       error_code& ec) override {
    head_.request.method = View(method);
    target = View(request_target);
    version = http_version;
    ec = {};
  }
  void on_field_impl(http::field field, BeastView name, BeastView value, error_code& ec) override {
    ec = {};
    const std::string_view text = View(value);
    ++fields;
    if (fields > kFieldsMax) return;
    switch (field) {
      case http::field::host:
        ++hosts;
        host = text;
        break;
      case http::field::content_length:
        ++lengths;
        length = text;
        break;
      case http::field::transfer_encoding:
        ++transfer_codings;
        transfer_coding = text;
        break;
      case http::field::content_encoding:
        ++content_codings;
        content_coding = text;
        break;
      case http::field::expect: expect += (expect.empty() ? "" : ",") + std::string(text); break;
      case http::field::connection:
        EachInList(text, [this](std::string_view option) {
          close = close || EqualsIgnoringCase(option, "close");
          keep = keep || EqualsIgnoringCase(option, "keep-alive");
        });
        break;
      default: break;
    }
    head_.request.headers.emplace_back(Lowered(View(name)), text);
  }
  void on_header_impl(error_code& ec) override { ec = {}; }
  void on_finish_impl(error_code& ec) override { ec = {}; }
  // The rest belongs to answers and bodies, which this parser never sees.
  void on_response_impl(int, BeastView, int, error_code& ec) override { ec = {}; }
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code& ec) override {
    ec = {};
  }
  std::size_t on_body_impl(BeastView body, error_code& ec) override {
    ec = {};
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, BeastView, error_code& ec) override { ec = {}; }
  std::size_t on_chunk_body_impl(std::uint64_t, BeastView body, error_code& ec) override {
    ec = {};
    return body.size();
  }

  RequestHead& head_;
};

HttpResponse BadRequest(std::string_view detail) { return Problem(400, "bad_request", detail); }

std::string_view Explain(error_code ec) {
  if (ec == http::error::bad_method) return "The method is not a token.";
  if (ec == http::error::bad_target) return "The request target has bytes that must be escaped.";
  if (ec == http::error::bad_version) return "The request line does not end in an HTTP version.";
  if (ec == http::error::bad_content_length) return "Content-Length is not one plain number.";
  if (ec == http::error::multiple_content_length) return "Content-Length is given more than once.";
  if (ec == http::error::bad_transfer_encoding) {
    return "Transfer-Encoding is given twice or beside Content-Length.";
  }
  return "The head is not well-formed HTTP/1.1.";
}

// The request line ends in some other version of HTTP, such as the one of the HTTP/2 preface.
bool IsOtherVersion(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\r'));
  if (line.size() < 10 || line.substr(line.size() - 9, 6) != " HTTP/") return false;
  const std::string_view number = line.substr(line.size() - 3);
  return number[0] >= '0' && number[0] <= '9' && number[1] == '.' && number[2] >= '0' &&
         number[2] <= '9' && number != "1.0" && number != "1.1";
}

bool IsKnownMethod(std::string_view method) {
  for (const std::string_view known :
       {"POST", "GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    if (method == known) return true;
  }
  return false;
}

std::optional<HttpResponse> CheckFraming(const HeadParser& parser, RequestHead* head) {
  if (parser.fields > kFieldsMax) {
    return Problem(431, "header_too_large", "The head has more than 256 fields.");
  }
  if (parser.transfer_codings > 0) {
    if (parser.lengths > 0) return BadRequest("Transfer-Encoding stands beside Content-Length.");
    if (parser.version < 11) return BadRequest("Transfer-Encoding is not part of HTTP/1.0.");
    size_t chunked = 0;
    size_t others = 0;
    size_t empty = 0;
    EachInList(parser.transfer_coding, [&](std::string_view coding) {
      ++(coding.empty() ? empty : EqualsIgnoringCase(coding, "chunked") ? chunked : others);
    });
    if (empty > 0 || chunked > 1 || parser.transfer_codings > 1) {
      return BadRequest("Transfer-Encoding is not one plain list.");
    }
    if (others > 0) {
      return Problem(501, "unsupported_transfer_coding", "Only the chunked coding is understood.");
    }
    head->chunked = true;
  }
  if (parser.lengths > 1) return BadRequest("Content-Length is given more than once.");
  if (parser.lengths == 1) {
    if (parser.length.empty()) return BadRequest("Content-Length is empty.");
    uint64_t length = 0;
    for (const char c : parser.length) {
      if (c < '0' || c > '9' || length > (uint64_t{1} << 56)) {
        return BadRequest("Content-Length is not one plain number.");
      }
      length = length * 10 + static_cast<uint64_t>(c - '0');
    }
    head->content_length = length;
  }
  head->has_body = head->chunked || parser.lengths == 1;
  return std::nullopt;
}

std::optional<HttpResponse> CheckHost(const HeadParser& parser) {
  if (parser.hosts > 1) return BadRequest("There is more than one Host header.");
  if (parser.hosts == 0 && parser.version >= 11) return BadRequest("The Host header is missing.");
  if (parser.host.find_first_of(" \t,/@?#\\<>\"") != std::string_view::npos) {
    return BadRequest("The Host header is not a host.");
  }
  return std::nullopt;
}

// Splits the target into path and query; takes origin-form, absolute-form and the lone asterisk.
std::optional<HttpResponse> CheckTarget(std::string_view target, RequestHead* head) {
  for (const char c : target) {
    const auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u >= 0x7f || c == '#') {
      return BadRequest("The request target has bytes that must be escaped.");
    }
  }
  if (!target.starts_with('/') && target != "*") {
    const size_t scheme = target.starts_with("http://")    ? 7
                          : target.starts_with("https://") ? 8
                                                           : 0;
    const size_t authority_end = std::min(target.find_first_of("/?", scheme), target.size());
    if (scheme == 0 || authority_end == scheme) {
      return BadRequest("The request target is neither a path nor an http URL.");
    }
    target.remove_prefix(authority_end);
  }
  const size_t mark = std::min(target.find('?'), target.size());
  // An escaped slash stays escaped: it is part of a segment, not the end of one.
  auto path = PercentDecode(target.substr(0, mark), /*but_slash=*/true);
  if (!path) return BadRequest("The path has a malformed percent escape.");
  head->request.path = path->empty() ? "/" : *std::move(path);
  head->request.query = target.substr(std::min(target.size(), mark + 1));
  return std::nullopt;
}

std::optional<HttpResponse> CheckExpectAndCoding(const HeadParser& parser, RequestHead* head) {
  if (!parser.expect.empty() && parser.version >= 11) {
    if (!EqualsIgnoringCase(parser.expect, "100-continue")) {
      return Problem(417, "expectation_failed", "Only Expect: 100-continue is understood.");
    }
    head->expect_continue = head->has_body;
  }
  const std::string_view coding = parser.content_coding;
  // Only the last of several headers is remembered; what the others say must not be passed over.
  const bool one = parser.content_codings <= 1;
  if (one && (coding.empty() || EqualsIgnoringCase(coding, "identity"))) return std::nullopt;
  if (one && (EqualsIgnoringCase(coding, "gzip") || EqualsIgnoringCase(coding, "x-gzip"))) {
    head->coding = Coding::kGzip;
  } else if (one && EqualsIgnoringCase(coding, "zstd")) {
    head->coding = Coding::kZstd;
  } else if (one && EqualsIgnoringCase(coding, "snappy")) {
    head->coding = Coding::kSnappy;
  } else {
    HttpResponse refusal = Problem(415, "unsupported_encoding",
                                   "Content-Encoding may be gzip, zstd, snappy or identity.");
    refusal.headers.emplace_back("Accept-Encoding", "gzip, zstd, snappy, identity");
    return refusal;
  }
  return std::nullopt;
}

}  // namespace

HeadScanner::Outcome HeadScanner::Scan(std::string_view text) {
  while (true) {
    const char* const from = text.data() + scanned_;
    const void* const found = std::memchr(from, '\n', text.size() - scanned_);
    const size_t end = found == nullptr
                           ? text.size()
                           : static_cast<size_t>(static_cast<const char*>(found) - text.data());
    // Controls are refused at once, not only when their line is whole. A CR may be the last byte
    // so far, because its LF may be under way.
    std::string_view fresh = text.substr(scanned_, end - scanned_);
    if (!fresh.empty() && fresh.back() == '\r') fresh.remove_suffix(1);
    if (!IsFieldValue(fresh) ||
        (scanned_ > line_start_ && scanned_ < end && text[scanned_ - 1] == '\r')) {
      why_ = "The head holds a control byte, such as NUL or a CR without LF.";
      return Outcome::kBad;
    }
    if (found == nullptr) {
      scanned_ = end;
      return Outcome::kMore;
    }
    if (end == line_start_ || text[end - 1] != '\r') {
      why_ = "A line of the head ends in LF without CR.";
      return Outcome::kBad;
    }
    const std::string_view line = text.substr(line_start_, end - 1 - line_start_);
    if (!Line(line)) return Outcome::kBad;
    line_start_ = scanned_ = end + 1;
    if (line.empty()) return Outcome::kWhole;
    ++lines_;
  }
}

bool HeadScanner::Line(std::string_view line) {
  if (lines_ == 0) {
    if (!line.empty()) return true;  // the request line, which Beast takes apart
    why_ = "The request line is empty.";
    return false;
  }
  if (line.empty()) return true;
  if (line.front() == ' ' || line.front() == '\t') {
    why_ = "A header is folded over two lines.";
    return false;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) {
    why_ = "A header has no name, or white space before its colon.";
    return false;
  }
  return true;
}

std::optional<HttpResponse> ParseHead(std::string_view text, RequestHead* head) {
  HeadParser parser(head);
  error_code ec;
  const size_t used = parser.put(boost::asio::buffer(text.data(), text.size()), ec);
  if (ec) {
    if (ec == http::error::bad_version && IsOtherVersion(text)) {
      return Problem(505, "version_not_supported", "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
    }
    return BadRequest(Explain(ec));
  }
  if (used != text.size() || !parser.is_header_done()) return BadRequest(Explain(error_code{}));

  head->http_1_0 = parser.version < 11;
  head->keep_alive = !parser.close && (!head->http_1_0 || parser.keep);
  if (auto refusal = CheckFraming(parser, head)) return refusal;
  if (auto refusal = CheckHost(parser)) return refusal;
  if (!IsKnownMethod(head->request.method)) {
    // CONNECT and the like give what follows a meaning of its own, so the connection ends.
    return Problem(501, "method_not_implemented", "This method is not known here.");
  }
  head->framed = true;
  if (auto refusal = CheckTarget(parser.target, head)) return refusal;
  return CheckExpectAndCoding(parser, head);
}

}  // namespace spool::net
