#include "app/ctl/commands.h"
#include "app/ctl/text.h"

namespace spool::ctl {
namespace {

constexpr uint64_t kPage = 1000;

Table LetterTable(std::span<const Json> letters, bool wide) {
  std::vector<Column> columns = {
      {"ID", false, 12}, {"AGE", true}, {"REASON", false, 8}, {"CODE", false, 8}, {"TRIES", true}};
  if (wide) {
    columns.insert(columns.end(), {{"TARGET"},
                                   {"STREAM"},
                                   {"SEQUENCE", true},
                                   {"EVENT-ID"},
                                   {"FIRST-FAILED"},
                                   {"LAST-FAILED"},
                                   {"RETRY"}});
  }
  columns.push_back({"ANSWER", false, 10});
  Table table(columns);
  for (const Json& letter : letters) {
    std::vector<Cell> row = {letter["id"].Text(), AgeOf(letter["first_failed"]),
                             letter["reason"].Text(), letter["code"].Text(),
                             letter["attempts"].Text()};
    if (wide) {
      row.insert(row.end(),
                 {letter["target"].Text(), letter["stream"].Text(), letter["sequence"].Text(),
                  letter["event_id"].Text(), TimeOf(letter["first_failed"]),
                  TimeOf(letter["last_failed"]), letter["retry_wanted"].Flag() ? "wanted" : ""});
    }
    row.emplace_back(letter["excerpt"].Text());
    table.Add(std::move(row));
  }
  return table;
}

std::string LetterDetails(const Json& letter, const Printer& out) {
  Details details;
  details.Add("ID", letter["id"].Text());
  details.Add("Target", letter["target"].Text());
  details.Add("Event", letter["event_id"].Text() + ", sequence " + letter["sequence"].Text() +
                           " of " + letter["stream"].Text());
  details.Add("Reason", letter["reason"].Text(), Style::kBad);
  details.Add("Code", letter["code"].Text());
  details.Add("Attempts", letter["attempts"].Text());
  for (const auto& [label, key] :
       {std::pair("First failed", "first_failed"), std::pair("Last failed", "last_failed")}) {
    details.Add(label, TimeOf(letter[key]) + " (" + AgeOf(letter[key]) + " ago)");
  }
  if (!letter["replay"].Text().empty()) details.Add("Replay", letter["replay"].Text());
  if (letter["retry_wanted"].Flag()) details.Add("Retry", "asked for, not made yet");
  details.Add("Answer", letter["excerpt"].Text());
  std::string text = details.Render(out.colour());
  const Json event = letter["event"];
  if (!event.is_null()) text += "\n" + VisibleJson(PrettyJson(event.Dump())) + "\n";
  return text;
}

const View kView{"dlq", "dead letters", "id", LetterTable};

std::string PathOf(const std::string& id) {
  return "/api/v1/dead-letters/" + PercentEncode(Bare(id, "dlq"));
}

Failure Unknown(const std::string& id, Failure failure) {
  if (failure.exit == kNotFound) {
    failure.message = "there is no dead letter '" + Visible(Bare(id, "dlq")) + "'";
    failure.next = "see 'spoolctl dlq ls'; one that was delivered or dropped is gone";
  }
  return failure;
}

int OneByOne(Session& session, const std::vector<std::string>& ids, const char* verb,
             const char* done) {
  size_t went = 0;
  Failure last;
  for (const std::string& id : ids) {
    const Outcome<Json> letter = session.client.Post(PathOf(id) + ":" + verb);
    if (letter) {
      ++went;
      session.out.Did(*letter, "dlq", Bare(id, "dlq"), done);
      continue;
    }
    last = Unknown(id, letter.error());
    session.out.Fail(last);
    if (last.exit == kUnreachable || last.exit == kInterrupted) break;
  }
  if (went == ids.size()) return kDone;
  return went > 0 ? kPartly : last.exit;
}

int AllOf(Session& session, const DeadLetterChoice& choice, const char* verb, const char* done) {
  JsonObject body;
  body.Add("target", choice.target);
  if (!choice.reason.empty()) body.Add("reason", choice.reason);
  const Outcome<Json> answer =
      session.client.Post(std::string("/api/v1/dead-letters:") + verb, body.text());
  if (!answer) {
    return session.End(WithSuggestion(session, kTarget, choice.target, answer.error()));
  }
  const uint64_t matched = (*answer)["matched"].Number();
  const uint64_t went = (*answer)["done"].Number();
  std::string what = std::string(done) + " " + Count(went, "dead letter");
  if (went < matched) what += " of " + Thousands(matched);
  session.out.Did(*answer, "target", choice.target, what);
  return went < matched ? kPartly : kDone;
}

DeadLetterChoice WithBareTarget(DeadLetterChoice choice) {
  choice.target = Bare(choice.target, "target");
  return choice;
}

}  // namespace

int DlqLs(Session& session, const DeadLetterQuery& query) {
  std::vector<Json> letters;
  std::string after = Bare(query.after, "dlq");
  bool more = true;
  while (more && letters.size() < query.limit) {
    std::string path = "/api/v1/dead-letters?limit=" +
                       std::to_string(std::min<uint64_t>(kPage, query.limit - letters.size()));
    if (!query.target.empty()) path += "&target=" + PercentEncode(Bare(query.target, "target"));
    if (!after.empty()) path += "&after=" + PercentEncode(after);
    const Outcome<Json> page = session.client.Get(path);
    if (!page) {
      return session.End(
          WithSuggestion(session, kTarget, Bare(query.target, "target"), page.error()));
    }
    const std::vector<Json> items = (*page)["items"].items();
    letters.insert(letters.end(), items.begin(), items.end());
    const std::string next = (*page)["next"].Text();
    more = !next.empty() && next != after && !items.empty();
    if (more) after = next;
  }
  session.out.List(letters, kView);
  if (more) {
    session.out.Note("there are more; go on with --after " + ShellQuote(after) +
                     ", or raise --limit");
  }
  return kDone;
}

int DlqGet(Session& session, const std::string& id) {
  const Outcome<std::string> text = session.client.GetText(PathOf(id));
  if (!text) return session.End(Unknown(id, text.error()));
  if (session.out.format() == Format::kJson) {  // the event as the producer wrote it
    session.out.Pretty(*text);
    return kDone;
  }
  const Result<Json> letter = Json::Parse(*text);
  if (!letter)
    return session.End({kFailed, "the dead letter cannot be shown: " + letter.error().message,
                        "-o json shows any"});
  session.out.One(*letter, kView, [&] { return LetterDetails(*letter, session.out); });
  return kDone;
}

int DlqRetry(Session& session, const DeadLetterChoice& choice) {
  if (!choice.ids.empty()) return OneByOne(session, choice.ids, "retry", "will be retried");
  return AllOf(session, WithBareTarget(choice), "retry", "will retry");
}

int DlqDrop(Session& session, const DeadLetterChoice& choice) {
  std::string what = "drop ";
  if (choice.ids.empty()) {
    what += "all dead letters of " + Visible(Bare(choice.target, "target"));
    if (!choice.reason.empty()) what += " with reason " + Visible(choice.reason);
  } else {
    what += choice.ids.size() == 1 ? "dead letter " + Visible(Bare(choice.ids[0], "dlq"))
                                   : Count(choice.ids.size(), "dead letter");
  }
  if (!session.Confirm(what + " for good")) return kRefused;
  if (!choice.ids.empty()) return OneByOne(session, choice.ids, "drop", "dropped");
  return AllOf(session, WithBareTarget(choice), "drop", "dropped");
}

}  // namespace spool::ctl
