// A decoder with streams of known numbers, and events as one reads them back.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time_text.h"
#include "ingest/decode.h"
#include "spool/event.h"

namespace spool {

// An event and the record that its view points into.
struct ReadBack {
  Event event;
  EventView view;
  std::string stream;
};

class IngestFixture {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  explicit IngestFixture(DecodeOptions options = {}) {
    options.stream = [this](std::string_view name) {
      const auto id = static_cast<uint8_t>(streams_.size() + 1);
      for (const auto& [known, known_name] : streams_) {
        if (known_name == name) return StreamId{known};
      }
      streams_[id] = std::string(name);
      return StreamId{id};
    };
    decoder_ = std::make_unique<Decoder>(std::move(options));
  }

  tl::expected<Decoded, Refusal> Decode(std::string_view path, std::string_view body,
                                        std::string_view content_type = "application/json",
                                        const Headers& headers = {}, std::string_view key = {}) {
    quarantine.clear();
    return decoder_->Decode({.path = path,
                             .content_type = content_type,
                             .idempotency_key = key,
                             .headers = &headers,
                             .body = body,
                             .received = received},
                            &quarantine);
  }

  // The events of a body that must not be refused.
  std::vector<ReadBack> Events(std::string_view path, std::string_view body,
                               std::string_view content_type = "application/json",
                               const Headers& headers = {}, std::string_view key = {}) {
    auto decoded = Decode(path, body, content_type, headers, key);
    if (!decoded) {
      ADD_FAILURE() << decoded.error().code << ": " << decoded.error().detail;
      return {};
    }
    quarantined = decoded->quarantined;
    return Read(std::move(decoded->events));
  }

  // The one event of a body.
  ReadBack One(std::string_view path, std::string_view body,
               std::string_view content_type = "application/json", const Headers& headers = {}) {
    auto events = Events(path, body, content_type, headers);
    EXPECT_EQ(events.size(), 1U) << body.substr(0, 200);
    if (events.size() != 1) return {};
    return std::move(events.front());
  }

  std::vector<ReadBack> Read(std::vector<Event> events) {
    std::vector<ReadBack> out(events.size());
    for (size_t i = 0; i < events.size(); ++i) {
      out[i].event = std::move(events[i]);
    }
    for (ReadBack& read : out) {  // once nothing moves any more
      auto view = DecodeRecord(read.event.record);
      if (!view) {
        ADD_FAILURE() << view.error().message;
        continue;
      }
      read.view = *view;
      read.stream = streams_[read.event.stream.value];
    }
    return out;
  }

  SystemTime received = *ParseRfc3339("2026-11-20T06:11:14.402113Z");
  std::vector<Event> quarantine;  // of the last refusal
  uint32_t quarantined = 0;       // of the last Events

 private:
  std::map<uint8_t, std::string> streams_;
  std::unique_ptr<Decoder> decoder_;
};

// A core/v1 Event about a pod, with what a test wants to vary.
struct EventText {
  std::string uid = "9c0f1b1e-0000-4000-8000-000000000001";
  std::string version = "500001";
  std::string reason = "Unhealthy";
  std::string message = "Readiness probe failed";
  std::string kind = "Pod";
  std::string api_version = "v1";
  std::string name = "api-7c9d8f6b5-x2x4z";
  std::string component = "kubelet";
  std::string type = "Warning";
  bool with_kind = true;

  std::string Json() const {
    return std::string("{") + (with_kind ? R"("kind":"Event","apiVersion":"v1",)" : "") +
           R"("metadata":{"name":"e.18b2","namespace":"payments","uid":")" + uid +
           R"(","resourceVersion":")" + version +
           R"(","creationTimestamp":"2026-03-14T09:20:00Z"},"involvedObject":{"kind":")" + kind +
           R"(","namespace":"payments","name":")" + name + R"(","apiVersion":")" + api_version +
           R"("},"reason":")" + reason + R"(","message":")" + message +
           R"(","source":{"component":")" + component +
           R"(","host":"worker-1"},"firstTimestamp":"2026-03-14T09:20:00Z","lastTimestamp":)"
           R"("2026-03-14T09:26:53Z","count":42,"type":")" +
           type + R"(","eventTime":null,"reportingComponent":"","reportingInstance":""})";
  }
};

// An audit event as the webhook sends it: without kind.
struct AuditText {
  std::string id = "5f0a6c1e-7f1b-4b0e-9d38-000000000006";
  std::string stage = "ResponseComplete";
  std::string uri = "/api/v1/namespaces/payments/pods";
  std::string verb = "create";
  std::string user = "jane";
  std::string received = "2026-03-14T09:26:06.535897Z";
  std::string object =
      R"({"resource":"pods","namespace":"payments","name":"web-0","apiVersion":"v1"})";
  std::string status = R"({"metadata":{},"code":201})";
  std::string annotations = R"({"authorization.k8s.io/decision":"allow"})";
  std::string more;  // further members, each with a comma in front

  std::string Json() const {
    return R"({"level":"Metadata","auditID":")" + id + R"(","stage":")" + stage +
           R"(","requestURI":")" + uri + R"(","verb":")" + verb + R"(","user":{"username":")" +
           user + R"("},"objectRef":)" + object + R"(,"responseStatus":)" + status +
           R"(,"requestReceivedTimestamp":")" + received +
           R"(","stageTimestamp":"2026-03-14T09:26:06.542113Z","annotations":)" + annotations +
           more + "}";
  }
};

}  // namespace spool
