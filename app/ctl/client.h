// The admin API from the caller's side: every way it can fail becomes a sentence and an exit
// status.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "app/ctl/failure.h"
#include "app/ctl/json.h"
#include "base/clock.h"

namespace spool::net {
class HttpClient;
}

namespace spool::ctl {

struct ClientOptions {
  std::string server;      // "http://127.0.0.1:8081"; the scheme may be missing
  std::string token_file;  // its first line goes out as a bearer token; empty: none
  std::string ca_file;     // PEM, for https; empty: the system's
  std::string cert_file;   // PEM: our certificate, where the server asks for one; empty: none
  std::string key_file;    // belongs to it
  Millis timeout{10000};   // of one request
};

// One thread at a time.
class Client {
 public:
  // kUsage for an address that is none, kFailed for a file that cannot be read.
  static Outcome<std::unique_ptr<Client>> Create(const ClientOptions& options,
                                                 std::stop_token stop);
  ~Client();

  // `path` begins with '/'. `extra` is added to the timeout, for answers that the server holds
  // back.
  Outcome<Json> Get(const std::string& path);
  Outcome<std::string> GetText(const std::string& path, Millis extra = Millis(0));
  Outcome<Json> Delete(const std::string& path);
  Outcome<Json> Post(const std::string& path, const std::string& body = {},
                     Millis extra = Millis(0));

  const std::string& server() const { return server_; }
  Millis timeout() const { return timeout_; }

 private:
  Client() = default;
  Outcome<std::string> Call(const char* method, const std::string& path, const std::string& body,
                            Millis extra);
  net::HttpClient& Http(Millis timeout);
  Outcome<Json> Read(const Outcome<std::string>& answer) const;
  Failure NotTheApi() const;
  Failure Problem(int status, const std::string& content_type, const std::string& body) const;
  Failure Distrust(const Error& error) const;
  Failure Unreachable(const Error& error, Millis timeout) const;

  std::string server_;
  std::string token_file_;
  std::string token_;
  std::string ca_file_;
  std::string cert_file_;
  std::string key_file_;
  Millis timeout_{10000};
  std::stop_token stop_;
  Millis http_timeout_{0};  // what http_ was made with
  std::unique_ptr<net::HttpClient> http_;
};

}  // namespace spool::ctl
