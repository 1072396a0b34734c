#include "app/ctl/replica_merge.h"

#include <algorithm>

#include "app/ctl/event_printer.h"
#include "app/ctl/text.h"

namespace spool::ctl {
std::string WithReplica(const std::string& object, const std::string& replica) {
  const size_t brace = object.find('{');
  if (brace == object.npos) return object;
  const size_t next = object.find_first_not_of(" \t\r\n", brace + 1);
  const bool empty = next != object.npos && object[next] == '}';
  return "{\"replica\":" + JsonString(replica) + (empty ? "" : ",") + object.substr(brace + 1);
}

void SortByTime(std::vector<ReplicaEvent>& events, bool by_event_time) {
  std::vector<std::pair<std::string, ReplicaEvent>> timed;
  timed.reserve(events.size());
  for (ReplicaEvent& one : events) {
    const Result<Json> event = Json::Parse(one.line);
    timed.emplace_back(event ? (*event)[by_event_time ? "time" : "acceptedtime"].Text() : "",
                       std::move(one));
  }
  std::ranges::stable_sort(timed, {},
                           [](const auto& one) -> const std::string& { return one.first; });
  events.clear();
  for (auto& [time, one] : timed) events.push_back(std::move(one));
}

void ReplicaMerge::AddList(std::span<const Json> items, const View& view) {
  kind_ = Kind::kList;
  view_ = view;
  for (const Json& item : items) items_.push_back({name_, item, {}, {}});
}

void ReplicaMerge::AddOne(const Json& item, const View& view, const std::string& details) {
  if (kind_ == Kind::kNothing) kind_ = Kind::kOne;
  view_ = view;
  items_.push_back({name_, item, details, {}});
}

void ReplicaMerge::AddDone(const Json& item, std::string_view type, std::string_view name,
                           std::string_view what) {
  kind_ = Kind::kDone;
  const std::string full = std::string(type) + "/" + Visible(name);
  items_.push_back({name_, item, full + " " + std::string(what), full});
}

void ReplicaMerge::AddEvent(const std::string& line, bool by_event_time) {
  kind_ = Kind::kEvents;
  by_event_time_ = by_event_time;
  events_.push_back({name_, line});
}

std::vector<Failure> ReplicaMerge::TakeFailures() {
  std::vector<Failure> out;
  out.swap(failures_);
  return out;
}

std::string ReplicaMerge::WithName(const std::string& object) const {
  return WithReplica(object, name_);
}

std::string ReplicaMerge::Prefixed(std::string_view text) const {
  std::string out;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    out += (at == 0 ? "" : "\n") + Visible(name_) + ": " + std::string(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

Json ReplicaMerge::Named(const Item& item) const {
  const Result<Json> named = Json::Parse(WithReplica(item.json.Dump(), item.replica));
  return named ? *named : item.json;
}

void ReplicaMerge::Show(Printer& out) {
  if (kind_ == Kind::kNothing) return;
  if (kind_ == Kind::kEvents) {
    EventPrinter printer(out, by_event_time_, false, true);
    printer.Add(TakeEvents());
    return printer.Finish();
  }
  if (out.human() && kind_ == Kind::kDone) {
    for (const Item& item : items_) out.Line(Visible(item.replica) + ": " + item.details);
    return;
  }
  if (out.human() && kind_ == Kind::kOne) {
    for (size_t i = 0; i < items_.size(); ++i) {
      out.Raw((i == 0 ? "" : "\n") +
              Paint("REPLICA " + Visible(items_[i].replica), Style::kBold, out.colour()) + "\n" +
              items_[i].details);
    }
    return;
  }
  if (out.format() == Format::kName && kind_ == Kind::kDone) {
    for (const Item& item : items_) out.Line(item.name);
    return;
  }
  View view = view_;
  std::vector<std::string> replicas;
  std::vector<Json> items;
  for (const Item& item : items_) {
    replicas.push_back(item.replica);
    items.push_back(Named(item));
  }
  if (view.table) {
    view.table = [&](std::span<const Json> all, bool wide) {
      Table table = view_.table(all, wide);
      if (table.rows() == replicas.size()) table.AddFront({"REPLICA", false, 8}, replicas);
      return table;
    };
  }
  out.List(items, view);
}

std::vector<ReplicaEvent> ReplicaMerge::TakeEvents() {
  SortByTime(events_, by_event_time_);
  if (events_max_ && events_.size() > *events_max_) {
    events_.erase(events_.begin(), events_.end() - static_cast<std::ptrdiff_t>(*events_max_));
  }
  kind_ = Kind::kNothing;
  return std::move(events_);
}

}  // namespace spool::ctl
