// What the producers' files share: the record in hand and how they answer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/json_scan.h"
#include "spool/event.h"

namespace spool {

// Strings that a record's view points into until its event is made. Reuses their memory.
class Arena {
 public:
  std::string& New() {
    if (used_ == strings_.size()) strings_.push_back(std::make_unique<std::string>());
    std::string& text = *strings_[used_++];
    text.clear();
    return text;
  }
  std::string_view Keep(std::string_view text) { return New().assign(text); }
  void Reset() { used_ = 0; }

 private:
  std::vector<std::unique_ptr<std::string>> strings_;
  size_t used_ = 0;
};

// Why a record goes to quarantine: a stable word and a sentence. Nothing of the record's content.
struct Rejected {
  std::string_view reason;
  std::string detail;
};

// Of the decoder that is at work; one thread.
struct RecordContext {
  std::string_view cluster;  // as configured; may be empty
  bool mutated_is_admission = true;
  Arena* arena = nullptr;
  JsonScanner* inner = nullptr;      // for JSON inside the record; the outer view stays whole
  std::string* canonical = nullptr;  // scratch for identities
  size_t depth_max = 64;

  // A string member's text; empty for any other kind.
  std::string_view Text(const JsonMember& member) const;
  // A string, number or literal as text.
  std::string_view Scalar(const JsonMember& member) const;
};

// The producers. Each fills what it knows of `view` (attributes, time, identity); `data`, `json`
// and what it leaves empty is the caller's. A view without an id gets one from the caller.
std::optional<Rejected> FillK8sEvent(const RecordContext& context,
                                     const std::vector<JsonMember>& members, std::string_view text,
                                     EventView* view);
std::optional<Rejected> FillK8sAudit(const RecordContext& context,
                                     const std::vector<JsonMember>& members, EventView* view);
// Structured mode: sets `data`, `json` and `content_type` too.
std::optional<Rejected> FillCloudEvent(const RecordContext& context,
                                       const std::vector<JsonMember>& members, EventView* view);
// Binary mode, from headers in lower case; the body is already in view->data.
std::optional<Rejected> FillCloudEventHeaders(
    const RecordContext& context, const std::vector<std::pair<std::string, std::string>>& headers,
    EventView* view);
void FillJson(const RecordContext& context, const std::vector<JsonMember>& members,
              std::string_view text, EventView* view);

// "/clusters/prod-eu/k8s-audit".
std::string_view SourceOf(const RecordContext& context, std::string_view cluster,
                          std::string_view producer);
// "Kind/namespace/name" without the parts that are missing.
std::string_view SubjectOf(const RecordContext& context, std::string_view kind,
                           std::string_view in_namespace, std::string_view name);

}  // namespace spool
