// What a target's record is made of: a JSON document whose texts are templates.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "forward/template/template.h"
#include "spool/event.h"

namespace spool {

// A compiled mapping. Immutable; any thread; copying is cheap.
class Mapping {
 public:
  // `json` is an object of any shape. Every string value in it is a template; names, numbers,
  // booleans and null stay as they are. With a `table` the mapping is the member of that name, so
  // that one file can hold several ({"incident": {…}, "change_request": {…}}); empty: all of it.
  // kInvalid when it is no such document, has no such table, or a template does not compile; the
  // message says where: "incident.urgency: 1:4: …".
  static Result<Mapping> Compile(std::string_view json, std::string_view table,
                                 const TemplateOptions& options = {});

  // Appends one JSON value on one line, in the order of the document. What a template makes is a
  // JSON string, escaped: no event can break out of it. kInvalid as from Template::Render, with
  // the place in front, and when all is longer than the limit for one output; `out` is then as
  // it was.
  Status Render(const tmpl::Value& root, SystemTime now, std::string& out) const;

  // Of all its templates; `place` names the value too ("incident.impact: 1:7").
  const std::vector<TemplateWarning>& warnings() const;

 private:
  struct Impl;
  explicit Mapping(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

// What templates see of an event. The root is its data: `.reason`, `.involvedObject.kind`. Beside
// what the data itself has, `.namespace` and `.clusterName` are the envelope's, and `.event` is the
// envelope itself, with the attributes of CloudEvents as texts and the data once more
// (`.event.data`). In the dialect sprig the root also has what kubernetes-event-exporter gives its
// layouts: the members of `metadata`, GetTimestampMs and GetTimestampISO8601. Data that is no JSON
// object leaves a root without any names of its own. `replay` as for AppendCloudEvent. Never fails:
// data that cannot be read is treated as no object. The value stands for itself; `event` may go.
tmpl::Value MappingRoot(const EventView& event, Dialect dialect, std::string_view replay = {});

}  // namespace spool
