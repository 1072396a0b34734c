// How each producer is answered. Most want 200 and nothing else: Botkube takes any other success
// for a failure, and kubewatch never reads a body, so that each one would cost it a connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_server.h"
#include "spool/journal.h"

namespace spool {

// What became of a request's records; the three add up to them.
struct Tally {
  uint32_t stored = 0;  // and understood
  uint32_t duplicates = 0;
  uint32_t quarantined = 0;
};

// Of one request. Copyable; any thread.
class HttpAnswers {
 public:
  explicit HttpAnswers(const net::HttpRequest& request);

  // After the sync. OTLP hears how many of its records could not be understood (`rejected`, as
  // partialSuccess); it will not send those again.
  net::HttpResponse Stored(const AppendResult& result, const Tally& tally,
                           uint32_t rejected) const;
  // As net::Problem; to OTLP a google.rpc.Status in the request's own encoding, as its
  // specification (docs/specification.md, "Failures") asks for.
  net::HttpResponse Problem(int status, std::string_view code, std::string_view detail,
                            int64_t offset = -1, int retry_after = 0) const;
  // The same of a net::Problem that others made; any other answer as it is.
  net::HttpResponse Reworded(net::HttpResponse problem) const;

 private:
  enum class Kind { kEmpty, kSummary, kOtlpJson, kOtlpProtobuf };
  Kind kind_ = Kind::kEmpty;
};

// Whether who posts there posts it once, whatever the answer: kubewatch, Botkube, Falco,
// Falcosidekick, kubernetes-event-exporter; and an API server that has a user waiting.
bool NeverRetries(std::string_view path);

// Whether the path is one of an admission webhook.
bool IsAdmissionPath(std::string_view path);
// The AdmissionReview that allows what `body`, an AdmissionReview, asks for; empty if it has no
// request with a uid, without which no answer is one (k8s.io/api/admission/v1).
std::optional<net::HttpResponse> AdmissionAllowed(std::string_view body);

}  // namespace spool
