#include "app/ctl/event_printer.h"

#include "app/ctl/replica_merge.h"
#include "app/ctl/text.h"

namespace spool::ctl {
namespace {

Style SeverityStyle(const std::string& severity) {
  if (severity == "critical" || severity == "error") return Style::kBad;
  return severity == "warning" ? Style::kWarn : Style::kPlain;
}

// "Pod/payments/api-7c9"
std::string ObjectOf(const Json& event) {
  std::string text;
  for (const char* key : {"kind", "namespace", "name"}) {
    const std::string part = event[key].Text();
    if (!part.empty()) text += (text.empty() ? "" : "/") + part;
  }
  return text.empty() ? event["subject"].Text() : text;
}

// "11-20 06:11:14": the whole time is in the wide table.
std::string ShortTime(const Json& time) {
  std::string text = TimeOf(time);
  return text.size() < 20 ? text : text.substr(5, 5) + " " + text.substr(11, 8);
}

std::string Indented(const std::string& json) {
  std::string out = "  ";
  for (const char c : json) {
    out += c;
    if (c == '\n') out += "  ";
  }
  return out;
}

Table EventTable(bool wide, bool by_event_time, bool replicas) {
  std::vector<Column> columns;
  if (replicas) columns.push_back({"REPLICA", false, 8});
  if (!wide) {
    columns.insert(columns.end(), {{by_event_time ? "EVENT-TIME" : "TIME"},
                                   {"SEVERITY"},
                                   {"STREAM", false, 8},
                                   {"OBJECT", false, 14},
                                   {"REASON", false, 8},
                                   {"MESSAGE", false, 12}});
    return Table(columns);
  }
  columns.insert(columns.end(), {{"SEQUENCE", true},
                                 {"ACCEPTED"},
                                 {"EVENT-TIME"},
                                 {"SEVERITY"},
                                 {"STREAM"},
                                 {"CATEGORY"},
                                 {"PRODUCER"},
                                 {"OBJECT"},
                                 {"REASON"},
                                 {"ID"},
                                 {"MESSAGE"}});
  return Table(columns);
}

std::string StringOf(const Json& value) { return value.is_string() ? value.Text() : ""; }

std::string BotkubeText(const Json& data) {
  for (const Json& message : data["Messages"].items()) {
    if (const std::string text = StringOf(message); !text.empty()) return text;
  }
  return StringOf(data["Title"]);
}

// What was done to what, and by whom; empty without something that it was done to.
std::string Joined(const Json& verb, const Json& object, const Json& user) {
  const std::string done = StringOf(verb);
  const std::string to = StringOf(object);
  const std::string by = StringOf(user);
  if (done.empty() || to.empty()) return {};
  return done + " " + to + (by.empty() ? "" : " by " + by);
}

}  // namespace

std::string MessageOf(const Json& data) {
  // Where producers keep it: Kubernetes, Falco, Gatekeeper, kubewatch, Fluent Bit, OTLP; an audit
  // record last, whose other members the caller chose.
  for (const char* key : {"message", "note", "output", "msg", "text", "log", "body"}) {
    if (const std::string text = StringOf(data[key]); !text.empty()) return text;
  }
  // Of a watch, and of OTLP: the record itself is in there.
  for (const char* inside : {"object", "body"}) {
    const Json record = data[inside];
    if (!record.is_object()) continue;
    if (const std::string text = MessageOf(record); !text.empty()) return text;
  }
  if (const std::string text = StringOf(data["responseStatus"]["message"]); !text.empty()) {
    return text;
  }
  if (const std::string botkube = BotkubeText(data["data"]); !botkube.empty()) return botkube;
  const Json request = data["request"];
  if (const std::string admission = Joined(request["operation"], request["resource"]["resource"],
                                           request["userInfo"]["username"]);
      !admission.empty()) {
    return admission;
  }
  const std::string audit = Joined(data["verb"], data["requestURI"], data["user"]["username"]);
  return audit.empty() ? Joined(data["Operation"], data["Resource"], {}) : audit;  // KubeArmor
}

EventPrinter::EventPrinter(Printer& out, bool by_event_time, bool endless, bool replicas)
    : out_(out),
      by_event_time_(by_event_time),
      endless_(endless),
      replicas_(replicas),
      table_(EventTable(out.wide(), by_event_time, replicas)) {}

void EventPrinter::AddRow(const std::string& line, const std::string& replica) {
  const Result<Json> parsed = Json::Parse(line);
  const Json event = parsed ? *parsed : Json();
  const std::string severity = event["severity"].Text();
  const std::string message =
      parsed ? MessageOf(event["data"]) : "(cannot be shown as a row: use -o jsonl)";
  std::vector<Cell> row;
  if (replicas_) row.emplace_back(replica);
  if (!out_.wide()) {
    row.insert(row.end(), {ShortTime(event[by_event_time_ ? "time" : "acceptedtime"]),
                           Cell(severity, SeverityStyle(severity)), event["stream"].Text(),
                           ObjectOf(event), event["reason"].Text(), message});
    return table_.Add(std::move(row));
  }
  const std::string category = event["category"].Text();
  const std::string subcategory = event["subcategory"].Text();
  row.insert(
      row.end(),
      {event["sequence"].Text(), event["acceptedtime"].Text(), event["time"].Text(),
       Cell(severity, SeverityStyle(severity)), event["stream"].Text(),
       subcategory.empty() ? category : category + "/" + subcategory, event["producer"].Text(),
       ObjectOf(event), event["reason"].Text(), event["id"].Text(), message});
  table_.Add(std::move(row));
}

void EventPrinter::Add(std::span<const std::string> lines) {
  if (ReplicaMerge* merge = out_.merge()) {
    for (const std::string& line : lines) merge->AddEvent(line, by_event_time_);
    printed_ += lines.size();
    return;
  }
  for (const std::string& line : lines) Print(line, "");
  Show();
}

void EventPrinter::Add(std::span<const ReplicaEvent> events) {
  for (const ReplicaEvent& event : events) {
    Print(out_.human() ? event.line : WithReplica(event.line, event.replica), event.replica);
  }
  Show();
}

void EventPrinter::Print(const std::string& line, const std::string& replica) {
  switch (out_.format()) {
    case Format::kTable:
    case Format::kWide: AddRow(line, replica); break;
    case Format::kJson:
      if (endless_) {
        out_.Pretty(line);
      } else {
        out_.Raw((printed_ == 0 ? "[\n" : ",\n") + Indented(out_.Safe(PrettyJson(line))));
      }
      break;
    case Format::kJsonl: out_.Line(out_.Safe(line)); break;
    case Format::kYaml: {
      const Result<Json> event = Json::Parse(line);
      out_.Raw("- " + (event ? event->Yaml(2).substr(2) : out_.Safe(line) + "\n"));
      break;
    }
    case Format::kName: {
      const Result<Json> event = Json::Parse(line);
      if (event) out_.Line("event/" + Visible((*event)["id"].Text()));
      break;
    }
  }
  ++printed_;
}

void EventPrinter::Show() {
  if (!table_.empty()) out_.Raw(table_.Render(out_.look()));
  if (endless_) out_.Flush();
}

void EventPrinter::Finish() {
  if (out_.merge() != nullptr) return;
  if (out_.format() == Format::kJson && !endless_) out_.Raw(printed_ == 0 ? "[]\n" : "\n]\n");
  if (out_.format() == Format::kYaml && !endless_ && printed_ == 0) out_.Line("[]");
  if (out_.human() && !endless_ && printed_ == 0) out_.Note("no events");
}

}  // namespace spool::ctl
