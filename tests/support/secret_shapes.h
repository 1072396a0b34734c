// Records with a secret in them, made from what producers send and where secrets come to lie.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace spool::testing {

struct SecretShape {
  std::string name;  // "audit request object, environment"
  std::string path;  // of the request
  std::string content_type = "application/json";
  std::string body;  // one record
};

// One of each: every place of a secret in every kind of record that can hold it. `secret` is
// asked for each of them: letters and digits; `number` tells records apart of another call.
std::vector<SecretShape> SecretShapes(const std::function<std::string()>& secret, int number);

// Bytes in standard base64.
std::string Base64(const std::string& bytes);

}  // namespace spool::testing
