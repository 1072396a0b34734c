// The producers that send nothing but records of their own shape, each known by members that no
// other has together. Events, audit events and CloudEvents are recognised in shape.h.
#pragma once

#include <string_view>
#include <vector>

#include "ingest/json_scan.h"
#include "ingest/record.h"

namespace spool {

enum class KnownShape {
  kNone,
  kKubewatch,
  kBotkube,
  kFalco,
  kGatekeeper,
  kKubeArmor,
  kAdmissionReview,
};

// By a record's members. `path` is the request's: on a producer's own path less is asked for.
KnownShape KnownShapeOf(const std::vector<JsonMember>& members, std::string_view path);

// Fills what that producer's record says, as the functions of record.h do; nothing of such a record
// is asked for, so none is refused. Not kNone.
void FillKnown(KnownShape shape, const RecordContext& context,
               const std::vector<JsonMember>& members, std::string_view text, std::string_view path,
               EventView* view);

// Robusta's kubewatch: pkg/event/event.go, pkg/handlers/webhook/webhook.go.
void FillKubewatch(const RecordContext& context, const std::vector<JsonMember>& members,
                   std::string_view text, EventView* view);
// The data of its CloudEvent: pkg/handlers/cloudevent/cloudevent.go. Sets no identity.
void FillKubewatchChange(const RecordContext& context, const std::vector<JsonMember>& members,
                         EventView* view);
// Botkube before 1.0 (pkg/notify/webhook.go) and since (pkg/sink/webhook.go).
void FillBotkube(const RecordContext& context, const std::vector<JsonMember>& members,
                 std::string_view text, EventView* view);
// Falco (userspace/engine/formats.cpp) and Falcosidekick (types/types.go), which adds a uuid.
void FillFalco(const RecordContext& context, const std::vector<JsonMember>& members,
               std::string_view text, EventView* view);
// OPA Gatekeeper's log lines (pkg/logging/logging.go) and export messages (pkg/export).
void FillGatekeeper(const RecordContext& context, const std::vector<JsonMember>& members,
                    std::string_view text, EventView* view);
// KubeArmor's alerts, logs and messages (protobuf/kubearmor.proto), as the relay and as the agent
// spell them.
void FillKubeArmor(const RecordContext& context, const std::vector<JsonMember>& members,
                   std::string_view text, EventView* view);
// admission.k8s.io/v1 and v1beta1 (k8s.io/api/admission). `path` says what kind of webhook it was.
void FillAdmissionReview(const RecordContext& context, const std::vector<JsonMember>& members,
                         std::string_view path, EventView* view);

}  // namespace spool
