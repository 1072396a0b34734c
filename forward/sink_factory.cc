#include "forward/sink_factory.h"

#include <algorithm>

#include "forward/sinks/kafka_conf.h"
#include "forward/sinks/nats_subject.h"
#include "forward/sinks/sinks.h"

namespace spool {
namespace {

constexpr int kConcurrencyMax = 64;
constexpr int kWindowMax = 65536;

bool HasControl(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool IsToken(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::ranges::all_of(name, [&](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

// "host", "host:port", "[::1]:port".
Status CheckAuthority(std::string_view authority) {
  if (authority.find('@') != std::string_view::npos) {
    return Fail(Code::kInvalid, "url holds credentials; give them as secrets instead");
  }
  std::string_view port;
  const size_t colon = authority.rfind(':');
  if (authority.starts_with('[')) {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos) return Fail(Code::kInvalid, "url has a [ without ]");
    port = authority.substr(close + 1);
    if (!port.empty() && port[0] != ':') return Fail(Code::kInvalid, "url has a bad port");
    if (!port.empty()) port.remove_prefix(1);
    authority = authority.substr(0, close + 1);
  } else if (colon != std::string_view::npos) {
    port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
    if (port.empty()) return Fail(Code::kInvalid, "url has a bad port");
  }
  if (authority.empty()) return Fail(Code::kInvalid, "url has no host");
  int number = 0;
  for (const char c : port) {
    if (c < '0' || c > '9') return Fail(Code::kInvalid, "url has a bad port");
    number = number * 10 + (c - '0');
    if (number > 65535) return Fail(Code::kInvalid, "url has a bad port");
  }
  if (!port.empty() && number == 0) return Fail(Code::kInvalid, "url has a bad port");
  return {};
}

Status CheckTimeouts(const TargetTimeouts& timeout) {
  if (timeout.connect <= Millis(0)) return Fail(Code::kInvalid, "timeout.connect is not positive");
  if (timeout.request <= Millis(0)) return Fail(Code::kInvalid, "timeout.request is not positive");
  return {};
}

Status CheckHeaders(const WebhookSettings& settings) {
  for (const auto& [name, value] : settings.headers) {
    if (!IsToken(name)) {
      return Fail(Code::kInvalid, "headers has \"" + name + "\", which is no header name");
    }
    if (HasControl(value)) {
      return Fail(Code::kInvalid, "headers." + name + " has control characters");
    }
    const std::string lower = Lower(name);
    constexpr std::string_view kOurs[] = {"content-type",    "content-length", "host",
                                          "idempotency-key", "connection",     "transfer-encoding"};
    if (std::ranges::find(kOurs, lower) != std::end(kOurs)) {
      return Fail(Code::kInvalid, "headers." + name + " is set by the sink itself");
    }
    if (lower == "authorization" && settings.bearer) {
      return Fail(Code::kInvalid, "headers." + name + " and bearer exclude each other");
    }
  }
  return {};
}

Status Check(const NullSettings&) { return {}; }
Status Check(const StdoutSettings&) { return {}; }

Status Check(const FileSettings& settings) {
  if (settings.path.empty()) return Fail(Code::kInvalid, "path is empty");
  if (settings.path.find('\0') != std::string::npos) {
    return Fail(Code::kInvalid, "path holds a NUL");
  }
  if (settings.path.back() == '/') return Fail(Code::kInvalid, "path names a directory");
  return {};
}

Status Check(const WebhookSettings& settings) {
  std::string_view rest = settings.url;
  const std::string lower = Lower(rest.substr(0, 8));
  if (lower.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (lower.starts_with("https://")) {
    rest.remove_prefix(8);
  } else {
    return Fail(Code::kInvalid, "url must begin with http:// or https://");
  }
  if (HasControl(settings.url) || settings.url.find(' ') != std::string::npos) {
    return Fail(Code::kInvalid, "url has white space or control characters");
  }
  if (Status ok = CheckAuthority(rest.substr(0, rest.find_first_of("/?#"))); !ok) return ok;
  if (settings.concurrency < 1 || settings.concurrency > kConcurrencyMax) {
    return Fail(Code::kInvalid, "concurrency must be 1 to " + std::to_string(kConcurrencyMax));
  }
  if (settings.concurrency > 1 && settings.format != WebhookSettings::Format::kStructured) {
    return Fail(Code::kInvalid, "concurrency above 1 needs the structured format");
  }
  return CheckHeaders(settings);
}

Status Check(const NatsSettings& settings) {
  if (settings.url.empty()) return Fail(Code::kInvalid, "url is empty");
  for (std::string_view rest = settings.url; !rest.empty();) {
    const size_t comma = std::min(rest.find(','), rest.size());
    std::string_view one = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (!one.starts_with("nats://")) {
      return Fail(Code::kInvalid, "url must begin with nats://");
    }
    one.remove_prefix(7);
    if (one.find_first_of(" /?#") != std::string_view::npos || HasControl(one)) {
      return Fail(Code::kInvalid, "url must be nats://HOST:PORT");
    }
    if (Status ok = CheckAuthority(one); !ok) return ok;
  }
  if (const auto subject = NatsSubject::Parse(settings.subject); !subject) {
    return Fail(subject.error().code, subject.error().message);
  }
  if (settings.stream.size() > 255 || HasControl(settings.stream) ||
      settings.stream.find_first_of(" .*>/\\") != std::string::npos) {
    return Fail(Code::kInvalid, "stream is not a name for a stream");
  }
  if (settings.window < 1 || settings.window > kWindowMax) {
    return Fail(Code::kInvalid, "window must be 1 to " + std::to_string(kWindowMax));
  }
  if (settings.password && settings.username.empty()) {
    return Fail(Code::kInvalid, "password needs username");
  }
  if (settings.token && !settings.username.empty()) {
    return Fail(Code::kInvalid, "token and username exclude each other");
  }
  return {};
}

Status Check(const KafkaSettings& settings) { return CheckKafka(settings); }

struct Maker {
  const SinkSettings& settings;
  std::unique_ptr<Sink> operator()(const NullSettings&) const { return MakeNullSink(); }
  std::unique_ptr<Sink> operator()(const StdoutSettings&) const { return MakeStdoutSink(1); }
  std::unique_ptr<Sink> operator()(const FileSettings& of) const { return MakeFileSink(of); }
  std::unique_ptr<Sink> operator()(const WebhookSettings& of) const {
    return MakeWebhookSink(of, settings.timeout);
  }
  std::unique_ptr<Sink> operator()(const NatsSettings& of) const {
    return MakeNatsSink(of, settings.timeout);
  }
  std::unique_ptr<Sink> operator()(const KafkaSettings& of) const {
    return MakeKafkaSink(of, settings.timeout, settings.target);
  }
};

}  // namespace

Result<std::unique_ptr<Sink>> MakeSink(const SinkSettings& settings) {
  if (Status ok = CheckTimeouts(settings.timeout); !ok) {
    return Fail(ok.error().code, ok.error().message);
  }
  if (Status ok = std::visit([](const auto& of) { return Check(of); }, settings.of); !ok) {
    return Fail(ok.error().code, ok.error().message);
  }
  return std::visit(Maker{settings}, settings.of);
}

}  // namespace spool
