#include "app/ctl/client.h"

#include <unistd.h>

#include "app/ctl/text.h"
#include "base/secret.h"
#include "base/time_text.h"
#include "net/http_client.h"

namespace spool::ctl {
namespace {

// An answer beyond this is not read: a page of events is asked for again with fewer of them.
constexpr size_t kAnswerBytes = size_t{64} << 20;

}  // namespace

Outcome<std::unique_ptr<Client>> Client::Create(const ClientOptions& options,
                                                std::stop_token stop) {
  std::unique_ptr<Client> client(new Client());
  client->server_ = options.server;
  std::string& server = client->server_;
  if (server.find("://") == server.npos) server = "http://" + server;
  while (server.ends_with('/')) server.pop_back();
  const size_t host = server.find("://") + 3;
  const bool known = server.starts_with("http://") || server.starts_with("https://");
  if (!known || host >= server.size() || server.find_first_of("?# \t\r\n", host) != server.npos) {
    return End(kUsage, "'" + Visible(options.server) + "' is not the address of a server",
               "give --server as http://HOST:PORT or https://HOST:PORT");
  }
  if (!options.token_file.empty()) {
    const Result<std::string> token = Secret::FromFile(options.token_file).Read();
    if (!token) {
      return tl::unexpected<Failure>(
          Failure{kFailed, "the token cannot be used: " + token.error().message,
                  "name a file that holds one token with --token-file", "token_unreadable"});
    }
    if (token->find_first_of("\r\n \t") != token->npos || token->find('\0') != token->npos) {
      return tl::unexpected<Failure>(Failure{
          kFailed,
          "the token file " + Visible(options.token_file) + " does not hold one token on one line",
          "name a file that holds one token with --token-file", "token_unreadable"});
    }
    client->token_ = *token;
    client->token_file_ = options.token_file;
  }
  if (options.cert_file.empty() != options.key_file.empty()) {
    return End(kUsage, "a certificate needs its key, and the key its certificate",
               "give both --cert and --key");
  }
  const bool secure = server.starts_with("https://");
  for (const std::string* file : {&options.ca_file, &options.cert_file, &options.key_file}) {
    if (!secure || file->empty() || access(file->c_str(), R_OK) == 0) continue;
    return End(kFailed, "the file " + Visible(*file) + " cannot be read");
  }
  client->ca_file_ = options.ca_file;
  client->cert_file_ = options.cert_file;
  client->key_file_ = options.key_file;
  client->timeout_ = options.timeout;
  client->stop_ = std::move(stop);
  return client;
}

Client::~Client() = default;

net::HttpClient& Client::Http(Millis timeout) {
  if (http_ == nullptr || http_timeout_ != timeout) {
    net::HttpClientOptions options;
    options.connect_timeout = std::min(timeout_, Millis(5000));
    options.request_timeout = timeout;
    options.answer_bytes = kAnswerBytes;
    options.connections = 1;
    options.ca_file = ca_file_;
    options.cert_file = cert_file_;
    options.key_file = key_file_;
    options.user_agent = "spoolctl/" SPOOL_VERSION;
    http_ = net::HttpClient::Create(options);
    http_timeout_ = timeout;
  }
  return *http_;
}

Outcome<std::string> Client::Call(const char* method, const std::string& path,
                                  const std::string& body, Millis extra) {
  net::HttpCall call;
  call.method = method;
  call.url = server_ + path;
  call.body = body;
  if (!token_.empty()) call.headers.emplace_back("Authorization", "Bearer " + token_);
  if (!body.empty()) call.headers.emplace_back("Content-Type", "application/json");
  const Millis timeout = timeout_ + extra;
  net::HttpAnswer answer = Http(timeout).Perform(call, stop_);
  if (answer.error) {
    if (answer.error->code == Code::kCancelled) return End(kInterrupted, "");
    if (answer.tls_failed) return tl::unexpected<Failure>(Distrust(*answer.error));
    return tl::unexpected<Failure>(Unreachable(*answer.error, timeout));
  }
  if (answer.status < 200 || answer.status > 299) {
    Failure failure = Problem(answer.status, answer.content_type, answer.body);
    if (answer.content_type.starts_with("application/problem+json")) {
      failure.problem = std::move(answer.body);
    }
    return tl::unexpected<Failure>(std::move(failure));
  }
  if (answer.body_cut) {
    return tl::unexpected<Failure>(
        Failure{.message = "the answer is larger than 64 MiB", .next = {}, .too_large = true});
  }
  return std::move(answer.body);
}

Outcome<std::string> Client::GetText(const std::string& path, Millis extra) {
  return Call("GET", path, "", extra);
}

Outcome<Json> Client::Get(const std::string& path) { return Read(Call("GET", path, "", {})); }

Outcome<Json> Client::Delete(const std::string& path) { return Read(Call("DELETE", path, "", {})); }

Outcome<Json> Client::Post(const std::string& path, const std::string& body, Millis extra) {
  return Read(Call("POST", path, body, extra));
}

Outcome<Json> Client::Read(const Outcome<std::string>& answer) const {
  if (!answer) return tl::unexpected<Failure>(answer.error());
  Result<Json> json = Json::Parse(*answer);
  if (!json || !json->is_object()) return tl::unexpected<Failure>(NotTheApi());
  return *std::move(json);
}

Failure Client::NotTheApi() const {
  return {kFailed, Visible(server_) + " answers, but not as spoold's admin API does",
          "check --server: the admin listener is on port 8081 unless configured otherwise",
          "not_the_api"};
}

Failure Client::Distrust(const Error& error) const {
  return {kUnreachable,
          "no secure connection to spoold at " + Visible(server_) + ": " + Visible(error.message),
          "--ca names the certificates to trust, --cert and --key what we show if it asks",
          "untrusted_connection"};
}

Failure Client::Unreachable(const Error& error, Millis timeout) const {
  if (error.code == Code::kInvalid) {
    return {kUsage,
            "the server address " + Visible(server_) + " cannot be used: " + Visible(error.message),
            "give --server as http://HOST:PORT"};
  }
  if (error.code == Code::kTimeout) {
    return {kUnreachable,
            "no answer from spoold at " + Visible(server_) + " within " +
                FormatDuration(std::chrono::duration_cast<Micros>(timeout)),
            "whether the request took effect is unknown; allow more with --timeout", "no_answer",
            true};
  }
  return {kUnreachable,
          "cannot reach spoold at " + Visible(server_) + ": " + Visible(error.message),
          "start it with 'spoold', or name another address with --server or SPOOLCTL_SERVER"};
}

Failure Client::Problem(int status, const std::string& content_type,
                        const std::string& body) const {
  const Result<Json> problem = Json::Parse(body);
  std::string detail;
  if (problem && content_type.starts_with("application/problem+json")) {
    detail = Visible((*problem)["detail"].Text());
    if (detail.empty()) detail = Visible((*problem)["title"].Text());
  }
  const std::string code = problem ? (*problem)["code"].Text() : "";
  if (status == 401) {
    if (token_.empty()) {
      return {kFailed, "spoold at " + Visible(server_) + " wants a token",
              "name the file that holds it with --token-file or SPOOLCTL_TOKEN_FILE", code};
    }
    return {
        kFailed,
        "spoold at " + Visible(server_) + " does not accept the token in " + Visible(token_file_),
        "name another file with --token-file or SPOOLCTL_TOKEN_FILE", code};
  }
  if (detail.empty() && status != 403 && status < 500) return NotTheApi();
  if (detail.empty()) detail = "spoold answered with status " + std::to_string(status);
  switch (status) {
    case 400:
    case 422: return {kUsage, detail, "", code};
    case 403: return {kFailed, detail, "name the file of another token with --token-file", code};
    case 404: return {kNotFound, detail, "", code};
    case 502:
    case 503:
    case 504: return {kUnreachable, detail, "try again in a moment", code};
    default: return {kFailed, detail, "", code};
  }
}

}  // namespace spool::ctl
