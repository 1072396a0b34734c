// Records with a secret in them, made from what producers send and where secrets come to lie.
#pragma once

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
// letters and digits; `number` tells records apart that are made with other secrets.
std::vector<SecretShape> SecretShapes(const std::string& secret, int number);

// Bytes in standard base64.
std::string Base64(const std::string& bytes);

}  // namespace spool::testing
