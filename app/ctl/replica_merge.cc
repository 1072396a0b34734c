#include "app/ctl/replica_merge.h"

#include <algorithm>

#include "app/ctl/event_printer.h"
#include "app/ctl/text.h"

namespace spool::ctl {
namespace {

// The object's text with one more member in front, as the rest was written.
std::string WithReplica(const std::string& object, const std::string& replica) {
  const size_t brace = object.find('{');
  if (brace == object.npos) return object;
  const size_t next = object.find_first_not_of(" \t\r\n", brace + 1);
  const bool empty = next != object.npos && object[next] == '}';
  return "{\"replica\":" + JsonString(replica) + (empty ? "" : ",") + object.substr(brace + 1);
}

}  // namespace

void ReplicaMerge::AddList(std::span<const Json> items, const View& view) {
  kind_ = Kind::kList;
  view_ = view;
  for (const Json& item : items) items_.push_back({name_, item, {}, {}, {}});
}

void ReplicaMerge::AddOne(const Json& item, const View& view, const std::string& details) {
  if (kind_ == Kind::kNothing) kind_ = Kind::kOne;
  view_ = view;
  items_.push_back({name_, item, details, {}, {}});
}

void ReplicaMerge::AddDone(const Json& item, std::string_view type, std::string_view name,
                           std::string_view what) {
  kind_ = Kind::kDone;
  const std::string full = std::string(type) + "/" + Visible(name);
  items_.push_back({name_, item, full + " " + std::string(what), {}, full});
}

void ReplicaMerge::AddEvent(const std::string& line, bool by_event_time) {
  kind_ = Kind::kEvents;
  by_event_time_ = by_event_time;
  const Result<Json> event = Json::Parse(line);
  std::string time = event ? (*event)[by_event_time ? "time" : "acceptedtime"].Text() : "";
  items_.push_back({name_, {}, {}, std::move(time), line});
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
  if (kind_ == Kind::kEvents) return ShowEvents(out);
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
    for (const Item& item : items_) out.Line(item.line);
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

void ReplicaMerge::ShowEvents(Printer& out) {
  std::ranges::stable_sort(items_, {}, &Item::time);
  if (events_max_ && items_.size() > *events_max_) {
    items_.erase(items_.begin(), items_.end() - static_cast<std::ptrdiff_t>(*events_max_));
  }
  if (!out.human()) {
    EventPrinter printer(out, by_event_time_, false);
    for (const Item& item : items_) {
      const std::string line = WithReplica(item.line, item.replica);
      printer.Add(std::span(&line, 1));
    }
    printer.Finish();
    return;
  }
  Table table = EventTable(out.wide(), by_event_time_);
  std::vector<std::string> replicas;
  for (const Item& item : items_) {
    AddEventRow(table, item.line, out.wide(), by_event_time_);
    replicas.push_back(item.replica);
  }
  if (items_.empty()) return out.Note("no events");
  table.AddFront({"REPLICA", false, 8}, replicas);
  out.Raw(table.Render(out.look()));
}

}  // namespace spool::ctl
