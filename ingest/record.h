// What the producers' files share: the record in hand and how they answer.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ingest/json_scan.h"
#include "ingest/later_ids.h"
#include "spool/event.h"

namespace spool {

// The memory that understanding one record needs: strings that its view points into until its event
// is made, and what scanning takes. Up to kFreeBytes a record are free; more is asked for before it
// is used. Small strings are used again, and no more than kSlotsKept of kBytesKept stay behind.
class Arena {
 public:
  static constexpr size_t kFreeBytes = size_t{64} << 10;
  static constexpr size_t kBytesKept = size_t{4} << 10;
  static constexpr size_t kSlotsKept = 64;

  // May this record have that many bytes in all? False means that its request will be refused.
  using Ask = std::function<bool(size_t bytes)>;
  explicit Arena(Ask ask) : ask_(std::move(ask)) {}

  std::string& New() {
    if (used_ == strings_.size()) strings_.push_back(std::make_unique<std::string>());
    std::string& text = *strings_[used_++];
    text.clear();
    return text;
  }
  std::string_view Keep(std::string_view text) { return New().assign(text); }
  // To be called before that many bytes are used, if there may be many. False: they must not be.
  bool Pay(size_t bytes) {
    bytes_ += bytes;
    return bytes_ <= kFreeBytes || ask_(bytes_);
  }
  // What was paid for since Reset.
  size_t bytes() const { return bytes_; }
  // The record is done with.
  void Reset() {
    for (size_t i = 0; i < used_; ++i) {
      if (strings_[i]->capacity() > kBytesKept) std::string().swap(*strings_[i]);
    }
    if (strings_.size() > kSlotsKept) strings_.resize(kSlotsKept);
    used_ = bytes_ = 0;
  }

 private:
  const Ask ask_;
  std::vector<std::unique_ptr<std::string>> strings_;
  size_t used_ = 0;
  size_t bytes_ = 0;
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
  JsonScanner* inner = nullptr;  // for JSON inside the record; the outer view stays whole
  size_t depth_max = 64;
  SystemTime received;  // the request
  LaterIds* later = nullptr;

  // IdentityOf, or what stands for it until the events are done.
  Hash128 Identity(std::string_view what, std::initializer_list<std::string_view> fields) const;

  // Scans with `inner`; also false when there is no memory for it.
  bool ScanInner(std::string_view text) const;

  // A string member's text; empty for any other kind, or when there is no memory for it.
  std::string_view Text(const JsonMember& member) const;
  // A string, number or literal as text.
  std::string_view Scalar(const JsonMember& member) const;
};

// The producers. Each fills what it knows of `view` (attributes, time, identity); `data`, `json`
// and what it leaves empty is the caller's. A view without an id gets one from the caller.
std::optional<Rejected> FillK8sEvent(const RecordContext& context,
                                     const std::vector<JsonMember>& members, std::string_view text,
                                     EventView* view);
// `view->data` is the record.
std::optional<Rejected> FillK8sAudit(const RecordContext& context,
                                     const std::vector<JsonMember>& members, EventView* view);
// Structured mode: sets `data`, `json` and `content_type` too.
std::optional<Rejected> FillCloudEvent(const RecordContext& context,
                                       const std::vector<JsonMember>& members, EventView* view);
// Binary mode: the attributes of `headers` (their names in lower case) as one JSON object, each
// value as it reads, so that what is done to members of a record is done to them.
std::optional<Rejected> CloudEventAttributes(
    const std::vector<std::pair<std::string, std::string>>& headers, std::string* json);
// From the members of that object; the body is already in view->data.
std::optional<Rejected> FillCloudEventHeaders(const RecordContext& context,
                                              const std::vector<JsonMember>& members,
                                              EventView* view);
// One log record as ingest/otlp.h makes it.
void FillOtlp(const RecordContext& context, const std::vector<JsonMember>& members,
              std::string_view text, EventView* view);
void FillJson(const RecordContext& context, const std::vector<JsonMember>& members,
              std::string_view text, EventView* view);

// "/clusters/prod-eu/k8s-audit".
std::string_view SourceOf(const RecordContext& context, std::string_view cluster,
                          std::string_view producer);
// "Kind/namespace/name" without the parts that are missing.
std::string_view SubjectOf(const RecordContext& context, std::string_view kind,
                           std::string_view in_namespace, std::string_view name);

}  // namespace spool
