#include "tests/support/secret_shapes.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

namespace spool::testing {
namespace {

using Json = nlohmann::ordered_json;

struct Place {
  const char* name;
  std::function<Json(const std::string&)> value;
};

Json SecretObject(const std::string& secret) {
  return {{"apiVersion", "v1"},
          {"data", {{"a", Base64(secret)}}},
          {"kind", "Secret"},
          {"metadata", {{"name", "db"}, {"namespace", "payments"}}}};
}

// What can be anywhere in a record.
const std::vector<Place>& Places() {
  static const std::vector<Place> places = {
      {"a password",
       [](auto s) {
         return Json{{"dbPassword", s}};
       }},
      {"an API key",
       [](auto s) {
         return Json{{"api_key", s}, {"user", "jane"}};
       }},
      {"passwords in a list",
       [](auto s) {
         return Json{{"passwords", {"x", s}}};
       }},
      {"a map of tokens",
       [](auto s) {
         return Json{{"tokens", {{"ci", {{"v", s}}}}}};
       }},
      {"a Secret", [](auto s) { return SecretObject(s); }},
      {"a Secret's texts",
       [](auto s) {
         return Json{{"kind", "Secret"}, {"stringData", {{"pin", s}}}, {"apiVersion", "v1"}};
       }},
      {"a list of Secrets",
       [](auto s) {
         return Json{{"kind", "SecretList"}, {"items", {{{"data", {{"a", s}}}}}}};
       }},
      {"a list of objects",
       [](auto s) {
         return Json{{"kind", "List"}, {"items", {SecretObject(s)}}};
       }},
      {"a ConfigMap",
       [](auto s) {
         return Json{{"kind", "ConfigMap"}, {"data", {{"app.properties", "pin " + s}}}};
       }},
      {"a table",
       [](auto s) {
         return Json{{"kind", "Table"},
                     {"rows", {{{"cells", {"db"}}, {"object", SecretObject(s)}}}}};
       }},
      {"a TokenReview",
       [](auto s) {
         return Json{{"kind", "TokenReview"}, {"spec", {{"x", s}}}};
       }},
      {"a TokenRequest",
       [](auto s) {
         return Json{{"kind", "TokenRequest"}, {"status", {{"token", s}}}};
       }},
      {"a certificate request",
       [](auto s) {
         return Json{{"kind", "CertificateSigningRequest"}, {"spec", {{"request", s}}}};
       }},
      {"the annotation of kubectl",
       [](auto s) {
         return Json{{"annotations",
                      {{"kubectl.kubernetes.io/last-applied-configuration",
                        Json{{"spec", {{"x", s}}}}.dump()}}}};
       }},
      {"an environment",
       [](auto s) {
         return Json{{"containers", {{{"name", "api"}, {"env", {{{"name", "X"}, {"value", s}}}}}}}};
       }},
      {"an environment of texts",
       [](auto s) {
         return Json{{"env", {"PATH=/bin", "X=" + s}}};
       }},
      {"arguments",
       [](auto s) {
         return Json{{"args", {"serve", "--token", s, "--port", "80"}}};
       }},
      {"a client's arguments",
       [](auto s) {
         return Json{{"command", {"mysql", "-u", "root", "-p", s}}};
       }},
      {"an argument in one",
       [](auto s) {
         return Json{{"args", {"--db-password=" + s}}};
       }},
      {"a named value",
       [](auto s) {
         return Json{{"key", "db.password"}, {"value", {{"stringValue", s}}}};
       }},
      {"a PEM block",
       [](auto s) {
         return Json{
             {"x", "-----BEGIN RSA PRIVATE KEY-----\n" + s + "\n-----END RSA PRIVATE KEY-----\n"}};
       }},
      {"a JWT",
       [](auto s) {
         return Json{{"x", "got eyJhbGciOiJIUzI1NiJ9.eyJzdWIi" + s + "." + s}};
       }},
      {"a bearer",
       [](auto s) {
         return Json{{"x", "sent Bearer " + s + " to it"}};
       }},
      {"a header",
       [](auto s) {
         return Json{{"headers", {{"Authorization", {"Basic " + s}}}}};
       }},
      {"a header as text",
       [](auto s) {
         return Json{{"x", "Authorization: Custom a " + s}};
       }},
      {"a user in a URL",
       [](auto s) {
         return Json{{"x", "to https://jane:" + s + "@db.x/y"}};
       }},
      {"a password with a slash",
       [](auto s) {
         return Json{{"x", "amqp://a:b/" + s + "@mq/v"}};
       }},
      {"a query",
       [](auto s) {
         return Json{{"x", "GET /a?b=1&access_token=" + s + "&c=2"}};
       }},
      {"a query with an escaped name",
       [](auto s) {
         return Json{{"x", "GET /a?%74oken=" + s}};
       }},
      {"a webhook",
       [](auto s) {
         return Json{{"x", "https://hooks.slack.com/services/T0/B0/" + s}};
       }},
      {"an exec",
       [](auto s) {
         return Json{
             {"x", "/api/v1/namespaces/a/pods/b/exec?command=passwd&command=" + s + "&tty=true"}};
       }},
      {"options of an exec",
       [](auto s) {
         return Json{{"kind", "PodExecOptions"}, {"command", {"login", s}}};
       }},
      {"an assignment in a text",
       [](auto s) {
         return Json{{"x", "started with PASSWORD=" + s + " ok"}};
       }},
      {"a password in a text",
       [](auto s) {
         return Json{{"x", "the password: " + s}};
       }},
      {"a command in a text",
       [](auto s) {
         return Json{{"x", "cmd=mysql -uroot -p" + s + " db"}};
       }},
      {"curl in a text",
       [](auto s) {
         return Json{{"x", "curl -u jane:" + s + " http://x"}};
       }},
      {"SQL",
       [](auto s) {
         return Json{{"x", "CREATE USER a IDENTIFIED BY '" + s + "'"}};
       }},
      {"a connection string",
       [](auto s) {
         return Json{{"x", "Server=db;User=a;Password=" + s + ";"}};
       }},
      {"a Secret in YAML",
       [](auto s) {
         return Json{{"x", "apiVersion: v1\nkind: Secret\ndata:\n  a: " + s + "\n"}};
       }},
      {"a Secret as text",
       [](auto s) {
         return Json{{"log", SecretObject(s).dump()}};
       }},
      {"a Secret in a line of a container's log",
       [](auto s) {
         return Json{{"log", "2026-03-14T09:26:53Z stdout F " + SecretObject(s).dump() + "\n"}};
       }},
      {"a Secret that was cut off",
       [](auto s) {
         const std::string text = SecretObject(s).dump();
         return Json{{"log", text.substr(0, text.find("metadata"))}};
       }},
      {"a Secret two texts deep",
       [](auto s) {
         return Json{{"log", Json{{"inner", SecretObject(s).dump()}}.dump()}};
       }},
      {"a text too deep to be opened",
       [](auto s) {
         std::string text = Json{{"password", s}}.dump();
         for (int i = 0; i < 6; ++i) text = Json{{"log", text}}.dump();
         return Json{{"log", text}};
       }},
      {"registry credentials",
       [](auto s) {
         return Json{{"x", Json{{"auths", {{"r.io", {{"auth", Base64("a:" + s)}}}}}}.dump()}};
       }},
      {"a JSON patch of a key",
       [](auto s) {
         return Json{{{"op", "add"}, {"path", "/spec/dbPassword"}, {"value", s}}};
       }},
      {"a JSON patch of an environment",
       [](auto s) {
         return Json{{{"op", "add"},
                      {"path", "/spec/containers/0/env/-"},
                      {"value", {{"name", "A"}, {"value", s}}}}};
       }},
      {"a JSON patch of data",
       [](auto s) {
         return Json{{{"op", "replace"}, {"path", "/data/a"}, {"value", s}}};
       }},
  };
  return places;
}

Json Audit(int number, const std::string& resource) {
  return {{"kind", "Event"},
          {"apiVersion", "audit.k8s.io/v1"},
          {"level", "RequestResponse"},
          {"auditID", "a-" + std::to_string(number)},
          {"stage", "ResponseComplete"},
          {"requestURI", "/apis/apps/v1/namespaces/payments/" + resource},
          {"verb", "create"},
          {"user", {{"username", "jane"}}},
          {"objectRef", {{"resource", resource}, {"namespace", "payments"}, {"name", "api"}}},
          {"responseStatus", {{"metadata", Json::object()}, {"code", 201}}},
          {"requestReceivedTimestamp", "2026-03-14T09:26:53.589793Z"}};
}

Json KubernetesEvent(int number) {
  return {{"kind", "Event"},
          {"apiVersion", "v1"},
          {"metadata",
           {{"name", "api.1"},
            {"namespace", "payments"},
            {"uid", "e-" + std::to_string(number)},
            {"resourceVersion", "1"}}},
          {"involvedObject", {{"kind", "Pod"}, {"namespace", "payments"}, {"name", "api"}}},
          {"reason", "Failed"},
          {"message", "it failed"},
          {"type", "Warning"}};
}

Json Review(int number) {
  return {{"kind", "AdmissionReview"},
          {"apiVersion", "admission.k8s.io/v1"},
          {"request",
           {{"uid", "r-" + std::to_string(number)},
            {"kind", {{"group", "apps"}, {"version", "v1"}, {"kind", "Deployment"}}},
            {"resource", {{"group", "apps"}, {"version", "v1"}, {"resource", "deployments"}}},
            {"operation", "UPDATE"}}}};
}

Json Falco(int number) {
  return {{"hostname", "worker-1"},
          {"output", "something happened"},
          {"priority", "Warning"},
          {"rule", "Terminal shell in container"},
          {"time", "2026-03-14T09:26:53.58979" + std::to_string(1000 + number % 9000) + "Z"},
          {"output_fields", {{"container.id", "c"}}}};
}

struct Carrier {
  const char* name;
  const char* path;
  std::function<Json(const Json&, int)> record;
};

const std::vector<Carrier>& Carriers() {
  static const std::vector<Carrier> carriers = {
      {"audit, requestObject", "/audit",
       [](const Json& x, int n) {
         Json record = Audit(n, "deployments");
         record["requestObject"] = {{"kind", "Deployment"}, {"x", x}};
         return record;
       }},
      {"audit, responseObject", "/audit",
       [](const Json& x, int n) {
         Json record = Audit(n, "deployments");
         record["responseObject"] = {{"kind", "Deployment"}, {"spec", {{"x", {x, 1}}}}};
         return record;
       }},
      {"audit, a webhook's patch", "/audit",
       [](const Json& x, int n) {
         Json record = Audit(n, "deployments");
         record["annotations"]["patch.webhook.admission.k8s.io/round_0_index_0"] =
             Json{{"configuration", "c"}, {"webhook", "w"}, {"patch", x}}.dump();
         return record;
       }},
      {"Event, annotation", "/events",
       [](const Json& x, int n) {
         Json record = KubernetesEvent(n);
         record["metadata"]["annotations"]["example.com/state"] = x.dump();
         return record;
       }},
      {"Event, message", "/events",
       [](const Json& x, int n) {
         Json record = KubernetesEvent(n);
         record["message"] = "Error: cannot apply " + x.dump();
         return record;
       }},
      {"Event of an exporter", "/events",
       [](const Json& x, int n) {
         Json record = KubernetesEvent(n);
         record["involvedObject"]["annotations"] = {{"x", x}};
         return record;
       }},
      {"admission, object", "/v1/events",
       [](const Json& x, int n) {
         Json record = Review(n);
         record["request"]["object"] = {{"kind", "Deployment"}, {"spec", {{"x", x}}}};
         return record;
       }},
      {"admission, oldObject", "/v1/events",
       [](const Json& x, int n) {
         Json record = Review(n);
         record["request"]["oldObject"] = x;
         return record;
       }},
      {"Falco, output_fields", "/v1/events",
       [](const Json& x, int n) {
         Json record = Falco(n);
         record["output_fields"]["ka.req.x"] = x;
         return record;
       }},
      {"Falco, output", "/v1/events",
       [](const Json& x, int n) {
         Json record = Falco(n);
         record["output"] = "09:26:53.589793000: Warning seen (x=" + x.dump() + ")";
         return record;
       }},
      {"CloudEvent, data", "/v1/events",
       [](const Json& x, int n) {
         return Json{{"specversion", "1.0"},
                     {"id", "c-" + std::to_string(n)},
                     {"source", "/x"},
                     {"type", "t"},
                     {"data", {{"obj", x}}}};
       }},
      {"CloudEvent, data_base64", "/v1/events",
       [](const Json& x, int n) {
         return Json{{"specversion", "1.0"},
                     {"id", "b-" + std::to_string(n)},
                     {"source", "/x"},
                     {"type", "t"},
                     {"datacontenttype", "application/json"},
                     {"data_base64", Base64(Json{{"obj", x}}.dump())}};
       }},
      {"a watch frame", "/v1/events",
       [](const Json& x, int) {
         return Json{{"type", "ADDED"}, {"object", {{"x", x}}}};
       }},
      {"any JSON", "/v1/events",
       [](const Json& x, int) {
         return Json{{"a", {{"b", x}}}};
       }},
      {"a log shipper's line", "/v1/events",
       [](const Json& x, int n) {
         return Json{{"date", 1773480413.5 + n}, {"log", x.dump()}, {"stream", "stdout"}};
       }},
  };
  return carriers;
}

// What only the request tells.
std::vector<std::pair<const char*, Json>> AuditRequests(const std::function<std::string()>& next,
                                                        int number) {
  std::vector<std::pair<const char*, Json>> out;
  const auto add = [&](const char* name, const std::string& resource) -> Json& {
    return out.emplace_back(name, Audit(number, resource)).second;
  };
  add("a Secret by its resource", "secrets")["requestObject"] = {{"x", next()}};
  add("a merge patch", "secrets")["requestObject"] = {{"data", {{"a", next()}}}};
  add("a patch of a Secret",
      "secrets")["requestObject"] = {{{"op", "replace"}, {"path", "/x"}, {"value", next()}}};
  add("an apply", "configmaps")["requestObject"] = {{"x", {{"y", next()}}}};
  add("what a deletion of many answers", "secrets")["responseObject"] = {{"kind", "Status"},
                                                                         {"details", next()}};
  add("a table of Secrets", "secrets")["responseObject"] = {{"kind", "Table"},
                                                            {"rows", {{{"cells", {next()}}}}}};
  add("a review of a token", "tokenreviews")["responseObject"] = {{"status", {{"user", next()}}}};
  add("a certificate's request", "certificatesigningrequests")["requestObject"] = {{"x", next()}};
  add("a webhook's patch of a Secret",
      "secrets")["annotations"]["patch.webhook.admission.k8s.io/round_0_index_1"] =
      Json{{"patch", {{{"op", "add"}, {"path", "/x"}, {"value", next()}}}}}.dump();
  Json& token = add("an account's token", "serviceaccounts");
  token["objectRef"]["subresource"] = "token";
  token["responseObject"] = {{"x", next()}};
  Json& uri = add("a Secret by its URI", "secrets");
  uri.erase("objectRef");
  uri["requestURI"] = "/api/v1/namespaces/a/secrets/b?timeout=1s";
  uri["requestObject"] = {{"x", next()}};
  Json& nothing = add("a body of nobody knows what", "secrets");
  nothing.erase("objectRef");
  nothing["requestURI"] = "/x";
  nothing["requestObject"] = {{"x", next()}};
  Json& list = add("a patch of nobody knows what", "secrets");
  list.erase("objectRef");
  list.erase("requestURI");
  list["requestObject"] = {{{"op", "add"}, {"path", "/x"}, {"value", next()}}};
  Json& exec = add("an exec's URI", "pods");
  exec["objectRef"]["subresource"] = "exec";
  exec["requestURI"] = "/api/v1/namespaces/a/pods/b/exec?command=sh&command=-c&command=" + next();
  Json& attach = add("an attach's URI", "pods");
  attach["requestURI"] = "/api/v1/namespaces/a/pods/b/attach?command=" + next() + "&stdin=true";
  Json& proxy = add("a proxied token", "services");
  proxy["requestURI"] = "/api/v1/namespaces/a/services/b/proxy/x?token=" + next();
  add("an impersonated user", "pods")["impersonatedUser"] = {
      {"username", "a"}, {"extra", {{"authorization", {"Bearer " + next()}}}}};
  add("a user's extra", "pods")["user"]["extra"] = {{"x-api-token", {next()}}};
  return out;
}

}  // namespace

std::string Base64(const std::string& bytes) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (size_t j = 0; j < 4; ++j) {
      out += i + j > bytes.size() ? '=' : kAlphabet[group >> (18 - 6 * j) & 63];
    }
  }
  return out;
}

std::vector<SecretShape> SecretShapes(const std::function<std::string()>& secret, int number) {
  std::vector<SecretShape> out;
  for (const Carrier& carrier : Carriers()) {
    for (const Place& place : Places()) {
      const int own = number * 10'000 + static_cast<int>(out.size());
      out.push_back({std::string(carrier.name) + ": " + place.name, carrier.path,
                     "application/json", carrier.record(place.value(secret()), own).dump()});
    }
  }
  for (auto& [name, record] : AuditRequests(secret, number * 10'000 + 9'000)) {
    record["auditID"] = "q-" + std::to_string(number * 10'000 + static_cast<int>(out.size()));
    out.push_back({std::string("audit: ") + name, "/audit", "application/json", record.dump()});
  }
  return out;
}

}  // namespace spool::testing
