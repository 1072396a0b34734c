#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <sstream>

#include "app/ctl/arguments.h"
#include "app/ctl/command_line.h"
#include "app/ctl/text.h"

namespace spool::ctl {
namespace {

constexpr Millis kLookUp{20000};              // on top of the timeout: an id is searched for
constexpr size_t kFileMax = size_t{1} << 20;  // what the admin API takes

struct Wish {
  std::string id;
  std::string file;
  std::string path;
  std::string source;
  std::string since;
  std::optional<uint64_t> to_sequence;
};

Style VerdictStyle(const std::string& verdict) {
  if (verdict == "matched") return Style::kGood;
  return verdict == "dropped" ? Style::kWarn : Style::kDim;
}

// "route archive", or what stands for it.
std::string RouteName(const Json& route) {
  const std::string name = route["route"].Text();
  return name.empty() ? "(no routes)" : name;
}

std::string Words(const Json& list) {
  std::string text;
  for (const Json& item : list.items()) text += (text.empty() ? "" : ",") + item.Text();
  return text.empty() ? "-" : text;
}

std::string Head(const Json& event, bool colour) {
  Details details;
  const bool stored = !event["sequence"].is_null();
  details.Add("Event", (stored ? event["sequence"].Text() + "  " : "") + event["id"].Text());
  const auto or_dash = [](const std::string& text) { return text.empty() ? "-" : text; };
  details.Add("About", or_dash(event["subject"].Text()) + ", " + or_dash(event["reason"].Text()));
  const std::string category = event["category"].Text();
  const std::string detail = event["subcategory"].Text();
  details.Add("Class", event["severity"].Text() + (category.empty() ? "" : ", " + category) +
                           (detail.empty() ? "" : "/" + detail) + ", by " +
                           or_dash(event["producer"].Text()));
  details.Add("Stream", event["stream"].Text() +
                            (stored ? ", accepted " + TimeOf(event["accepted"]) : ", not stored") +
                            " from " + or_dash(event["origin"].Text()));
  return details.Render(colour);
}

Table RouteTable(const Json& explanation) {
  Table table({{"ROUTE", false, 8}, {"VERDICT"}, {"TO", false, 6}, {"WHY", false, 20}});
  for (const Json& route : explanation["routes"].items()) {
    const std::string verdict = route["verdict"].Text();
    table.Add({RouteName(route), Cell(verdict, VerdictStyle(verdict)), Words(route["to"]),
               route["why"].Text()});
  }
  return table;
}

// Every condition of every rule.
Table ConditionTable(const Json& explanation) {
  Table table({{"ROUTE"}, {"RULE"}, {"HOLDS"}, {"KEY"}, {"WANTS"}, {"HAS"}});
  for (const Json& route : explanation["routes"].items()) {
    for (const char* list : {"drop", "match"}) {
      const std::vector<Json> rules = route[list].items();
      for (size_t i = 0; i < rules.size(); ++i) {
        for (const Json& condition : rules[i]["conditions"].items()) {
          const bool holds = condition["holds"].Flag();
          const Json value = condition["value"];
          table.Add({RouteName(route), std::string(list) + "[" + std::to_string(i) + "]",
                     Cell(holds ? "yes" : "no", holds ? Style::kGood : Style::kDim),
                     condition["key"].Text(), condition["wants"].Text(),
                     value.is_null() ? "-" : value.Text()});
        }
      }
    }
  }
  return table;
}

Cell OutcomeCell(const Json& target) {
  const std::string outcome = target["outcome"].Text();
  if (outcome == "dead_letter") return {"dead letter", Style::kBad};
  if (outcome == "settled") return {"settled", Style::kGood};
  if (outcome == "pending" || outcome == "skipped") return {outcome, Style::kWarn};
  if (target["wanted"].Flag()) return {"would get it", Style::kGood};
  return {"not wanted", Style::kDim};
}

Table TargetTable(const Json& explanation) {
  Table table(
      {{"TARGET", false, 8}, {"TYPE"}, {"OUTCOME"}, {"BY", false, 6}, {"WHERE", false, 20}});
  for (const Json& target : explanation["targets"].items()) {
    const std::string where = target["where"].Text();
    table.Add({target["target"].Text(), target["type"].Text(), OutcomeCell(target),
               Words(target["routes"]), where.empty() ? "-" : where});
  }
  return table;
}

// What is sent, and to whom: most targets are sent the same but for a line end.
struct Payload {
  std::string text;
  std::string targets;
  Json first;  // of them
};

std::vector<Payload> PayloadsOf(const std::vector<Json>& targets) {
  std::vector<Payload> out;
  for (const Json& target : targets) {
    std::string text = target["payload"].Text();
    if (text.empty()) continue;
    if (text.ends_with('\n')) text.pop_back();
    const std::string name = Visible(target["target"].Text());
    const auto same = std::find_if(out.begin(), out.end(), [&](const Payload& p) {
      return p.text == text && p.first["content_type"].Text() == target["content_type"].Text();
    });
    if (same == out.end()) {
      out.push_back({std::move(text), name, target});
    } else {
      same->targets += ", " + name;
    }
  }
  return out;
}

std::string Render(const Payload& payload, bool colour) {
  const std::string type = payload.first["content_type"].Text();
  std::string text = Paint("PAYLOAD for " + payload.targets, Style::kBold, colour) + ", " +
                     Count(payload.text.size(), "byte") +
                     (type.empty() ? "" : " of " + Visible(type)) +
                     (payload.first["payload_cut"].Flag() ? ", the beginning" : "") + "\n";
  const Result<Json> json = Json::Parse(payload.text);
  return text + VisibleJson(json ? PrettyJson(payload.text) : payload.text) + "\n";
}

std::string Page(const Json& explanation, const Printer& out) {
  std::string page = Head(explanation["event"], out.colour());
  page += "\n" + RouteTable(explanation).Render(out.look());
  if (out.wide()) {
    Table conditions = ConditionTable(explanation);
    if (!conditions.empty()) page += "\n" + conditions.Render(out.look());
  }
  const std::vector<Json> targets = explanation["targets"].items();
  if (targets.empty()) return page + "\nthere are no targets\n";
  page += "\n" + TargetTable(explanation).Render(out.look());
  for (const Json& target : targets) {
    if (target["outcome"].Text() == "dead_letter") {
      page += "  next: spoolctl dlq get " + ShellQuote(target["dead_letter"].Text()) + "\n";
    }
  }
  for (const Payload& payload : PayloadsOf(targets)) page += "\n" + Render(payload, out.colour());
  return page;
}

void Show(Session& session, const Json& explanation) {
  Printer& out = session.out;
  if (out.format() == Format::kName) {
    const Json event = explanation["event"];
    const std::string sequence = event["sequence"].Text();
    out.Raw("event/" + Visible(sequence.empty() ? event["id"].Text() : sequence) + "\n");
    return;
  }
  out.One(explanation, {"event", "events", "id", nullptr}, [&] { return Page(explanation, out); });
}

int ExplainStored(Session& session, const Wish& wish) {
  const std::string id = Bare(wish.id, "event");
  const bool sequence = id.find_first_not_of("0123456789") == id.npos && id.size() < 20;
  const bool hex = id.find_first_not_of("0123456789abcdefABCDEF") == id.npos && id.size() == 32;
  if (id.empty() || (!sequence && !hex)) {
    return session.End({kUsage, "'" + Visible(id) + "' names no event",
                        "an event is named by its sequence or by the 32 hex digits of its id; -f "
                        "takes a file"});
  }
  std::string path = "/api/v1/events/" + PercentEncode(id) + ":explain";
  std::string params;
  if (!wish.since.empty()) params += "&since=" + PercentEncode(wish.since);
  if (wish.to_sequence) params += "&to_sequence=" + std::to_string(*wish.to_sequence);
  if (!params.empty()) path += "?" + params.substr(1);
  const Outcome<std::string> text = session.client.GetText(path, kLookUp);
  if (!text) {
    Failure failure = text.error();
    if (failure.code == "scan_incomplete") {
      return session.End({kPartly, failure.message, "go on with --to-sequence"});
    }
    if (failure.exit == kNotFound) {
      failure.message = "there is no event '" + Visible(id) + "'";
      failure.next = sequence ? "it was never stored, or retention has taken it"
                              : "look further back with --since, e.g. --since 7d";
    }
    return session.End(failure);
  }
  const Result<Json> explanation = Json::Parse(*text);
  if (!explanation) {
    return session.End({kFailed, "the answer cannot be read: " + explanation.error().message});
  }
  Show(session, *explanation);
  return kDone;
}

Outcome<std::string> ReadFile(const std::string& name) {
  std::ifstream file;
  if (name != "-") {
    file.open(name, std::ios::binary);
    if (!file) return End(kFailed, "the file " + Visible(name) + " cannot be read");
  }
  std::istream& in = name == "-" ? std::cin : file;
  std::string text(kFileMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > kFileMax) {
    return End(kFailed, Visible(name) + " is larger than 1 MiB", "give one event at a time");
  }
  if (text.find_first_not_of(" \t\r\n") == text.npos) {
    return End(kFailed, Visible(name) + " is empty");
  }
  return text;
}

int ExplainFile(Session& session, const Wish& wish) {
  const Outcome<std::string> body = ReadFile(wish.file);
  if (!body) return session.End(body.error());
  std::string path = "/api/v1/events:explain";
  std::string params;
  if (!wish.path.empty()) params += "&path=" + PercentEncode(wish.path);
  if (!wish.source.empty()) params += "&source=" + PercentEncode(Bare(wish.source, "source"));
  if (!params.empty()) path += "?" + params.substr(1);
  const Outcome<Json> answer = session.client.Post(path, *body);
  if (!answer) {
    Failure failure = answer.error();
    if (failure.exit == kNotFound && !wish.source.empty())
      failure.next = "see 'spoolctl source ls'";
    return session.End(failure);
  }
  const std::vector<Json> items = (*answer)["items"].items();
  if (items.empty()) session.out.Note("there is no event in it");
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0 && session.out.human() && session.out.merge() == nullptr) session.out.Raw("\n");
    Show(session, items[i]);
  }
  if (const uint64_t all = (*answer)["events"].Number(); all > items.size()) {
    session.out.Note("the first " + Thousands(items.size()) + " of " + Count(all, "event"));
    return kPartly;
  }
  return kDone;
}

}  // namespace

void AddExplain(CLI::App& app, Chosen& chosen) {
  const auto wish = std::make_shared<Wish>();
  CLI::App* command = AddCommand(
      app, "explain", "Why an event goes to each target or does not, and what each is sent",
      "spoolctl explain 4118871\n"
      "  spoolctl explain -f event.json --path /events\n"
      "  spoolctl explain 4118871 -o json | jq '.targets[] | {target, wanted, outcome}'",
      chosen, [wish](Session& session) -> Outcome<int> {
        if (wish->id.empty() == wish->file.empty()) {
          return End(kUsage, "which event?", "name a stored one, or a file with -f");
        }
        return wish->file.empty() ? ExplainStored(session, *wish) : ExplainFile(session, *wish);
      });
  CLI::Option* id = command->add_option("ID|SEQUENCE", wish->id, "its id (32 hex) or its sequence");
  CLI::Option* file =
      command
          ->add_option("-f,--file", wish->file,
                       "events that are not stored, as a producer would send them; '-' is stdin")
          ->type_name("FILE")
          ->excludes(id);
  command->add_option("--path", wish->path, "where they would be posted (default /v1/events)")
      ->type_name("PATH")
      ->needs(file);
  command
      ->add_option("--source", wish->source, "the source that would take them (default the first)")
      ->type_name("NAME")
      ->needs(file);
  command->add_option("--since", wish->since, "how far back to look for an id (default 24h)")
      ->type_name("TIME")
      ->check(CheckTime, "");
  command->add_option("--to-sequence", wish->to_sequence, "look for the id before this sequence")
      ->type_name("N");
}

}  // namespace spool::ctl
