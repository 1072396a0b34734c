#include "ingest/split.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ingest/json_scan.h"

namespace spool {
namespace {

// Writes down what it is handed: good records as they are, others with a '!' in front.
class Notes : public RecordHandler {
 public:
  Answer Record(std::string_view text, ListKind list) override {
    bytes_ += text.size();
    if (!scanner_.Scan(text, 64)) return Answer::kUnreadable;
    seen.emplace_back(text);
    lists.push_back(list);
    return seen.size() == stop_at ? Answer::kStop : Answer::kTaken;
  }
  Answer Unreadable(std::string_view text) override {
    seen.push_back("!" + std::string(text));
    return Answer::kTaken;
  }
  std::vector<std::string> seen;
  std::vector<ListKind> lists;
  size_t stop_at = 0;
  size_t bytes_ = 0;

 private:
  JsonScanner scanner_;
};

using List = std::vector<std::string>;

List Split(std::string_view body, SplitOptions options = {}) {
  Notes notes;
  SplitRecords(body, options, &notes);
  return notes.seen;
}

TEST(Split, OneObject) {
  EXPECT_EQ(Split(R"({"a":1})"), List{R"({"a":1})"});
  EXPECT_EQ(Split(" \r\n{\"a\" : {\"b\":[1,\"]}\"]} }\n"), List{"{\"a\" : {\"b\":[1,\"]}\"]} }"});
  EXPECT_EQ(Split("\xEF\xBB\xBF{\"a\":1}"), List{R"({"a":1})"});
  EXPECT_EQ(Split("{}"), List{"{}"});
}

TEST(Split, Arrays) {
  EXPECT_EQ(Split(R"([{"a":1}, {"b":"x,]"} ,{"c":[]}])"),
            (List{R"({"a":1})", R"({"b":"x,]"})", R"({"c":[]})"}));
  EXPECT_EQ(Split("[]"), List{});
  EXPECT_EQ(Split("[1,\"a]\", null]"), (List{"1", "\"a]\"", "null"}));
}

TEST(Split, LinesAndObjectsBackToBack) {
  const List two = {R"({"a":1})", R"({"b":2})"};
  EXPECT_EQ(Split("{\"a\":1}\n{\"b\":2}\n"), two);
  EXPECT_EQ(Split("{\"a\":1}\r\n\r\n\n{\"b\":2}\r\n"), two);
  EXPECT_EQ(Split(R"({"a":1}{"b":2})"), two);
  EXPECT_EQ(Split("\x1E{\"a\":1}\n\x1E{\"b\":2}\n"), two);
  EXPECT_EQ(Split("[{\"a\":1}]\n[{\"b\":2}]"), two);
}

TEST(Split, ListsOfEvents) {
  EXPECT_EQ(
      Split(R"({"kind":"EventList","apiVersion":"v1","metadata":{},"items":[{"a":1},{"b":2}]})"),
      (List{R"({"a":1})", R"({"b":2})"}));
  EXPECT_EQ(Split(R"({"items":[{"a":1}],"kind":"List"})"), List{R"({"a":1})"});
  EXPECT_EQ(Split(R"({"kind":"EventList","items":[]})"), List{});
  EXPECT_EQ(Split(R"({"kind":"Order","items":[{"a":1}]})").size(), 1U);
  EXPECT_EQ(Split(R"({"items":[{"a":1}]})"), List{R"({"items":[{"a":1}]})"});
  EXPECT_EQ(Split(R"({"items":[{"a":1}]})", {.bare_items = true}), List{R"({"a":1})"});
  EXPECT_EQ(Split(R"({"kind":"EventList","items":null})"),
            List{R"({"kind":"EventList","items":null})"});
}

TEST(Split, SaysWhatTheListSays) {
  Notes audit, event, neither;
  SplitRecords(R"({"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{}]})", {}, &audit);
  EXPECT_EQ(audit.lists, std::vector{ListKind::kAudit});
  SplitRecords(R"({"kind":"EventList","apiVersion":"events.k8s.io/v1","items":[{}]})", {}, &event);
  EXPECT_EQ(event.lists, std::vector{ListKind::kEvent});
  SplitRecords(R"({"kind":"List","apiVersion":"v1","items":[{}]})", {}, &neither);
  EXPECT_EQ(neither.lists, std::vector{ListKind::kNone});
}

TEST(Split, GoesOnBehindABadElement) {
  EXPECT_EQ(Split(R"([{"a":1},{"b":nan},{"c":3}])"),
            (List{R"({"a":1})", R"(!{"b":nan})", R"({"c":3})"}));
  EXPECT_EQ(Split(R"([{"a":1},nan,{"c":3}])"), (List{R"({"a":1})", "!nan", R"({"c":3})"}));
  EXPECT_EQ(Split(R"([{"a":1],{"c":3}])"), (List{R"(!{"a":1])", R"({"c":3})"}));
  EXPECT_EQ(Split(R"([{"a":1} junk,{"c":3}])"), (List{R"({"a":1})", "!junk", R"({"c":3})"}));
  EXPECT_EQ(Split("[{\"a\":\"x\ny\"},{\"c\":3}]"), (List{"!{\"a\":\"x\ny\"}", R"({"c":3})"}));
}

TEST(Split, GoesOnBehindABadLine) {
  const List expected = {R"({"a":1})", R"(!{"b":)", R"({"c":3})", R"({"d":4})"};
  EXPECT_EQ(Split("{\"a\":1}\n{\"b\":\n{\"c\":3}\n{\"d\":4}"), expected);
  // A bracket too few takes the next line's; a quote too few turns strings inside out.
  EXPECT_EQ(Split("{\"a\":1}\n{\"b\":{\n{\"c\":3}\n}}{\"d\":4}").size(), 4U);
  EXPECT_EQ(Split("{\"a\":\"x}\n{\"c\":3}\n{\"d\":4}"),
            (List{"!{\"a\":\"x}", R"({"c":3})", R"({"d":4})"}));
  EXPECT_EQ(Split("{\"a\":nan}\r\n{\"c\":3}\r\n"), (List{"!{\"a\":nan}", R"({"c":3})"}));
  EXPECT_EQ(Split("garbage\n{\"c\":3}"), (List{"!garbage", R"({"c":3})"}));
  EXPECT_EQ(Split("{\"a\":1}}\n{\"c\":3}"), (List{R"({"a":1})", "!}", R"({"c":3})"}));
}

TEST(Split, TellsOfABodyThatWasCutOff) {
  EXPECT_EQ(Split(R"([{"a":1},{"b":)"), (List{R"({"a":1})", R"(!{"b":)"}));
  EXPECT_EQ(Split(R"([{"a":1},)"), (List{R"({"a":1})", "!"}));
  EXPECT_EQ(Split(R"([{"a":1})"), (List{R"({"a":1})", "!"}));
  EXPECT_EQ(Split(R"({"kind":"EventList","items":[{"a":1},{"b")"),
            (List{R"({"a":1})", R"(!{"b")"}));
  EXPECT_EQ(Split(R"({"kind":"EventList","items":[{"a":1}])"), (List{R"({"a":1})", "!"}));
  EXPECT_EQ(Split(R"({"kind":"EventList","items":[{"a":1}],"items":[{"b":2}]})").back()[0], '!');
  EXPECT_EQ(Split(R"({"a":1)"), List{R"(!{"a":1)"});
}

TEST(Split, StopsWhenTold) {
  Notes notes;
  notes.stop_at = 2;
  SplitRecords(R"([{"a":1},{"a":2},{"a":3},{"a":4}])", {}, &notes);
  EXPECT_EQ(notes.seen.size(), 2U);
  Notes lines;
  lines.stop_at = 1;
  SplitRecords("{}\n{}\n{}", {}, &lines);
  EXPECT_EQ(lines.seen.size(), 1U);
}

// Bodies made to have each piece looked at again and again: the work stays in proportion.
TEST(Split, WorksInLinearTimeOnBodiesMadeToStallIt) {
  constexpr size_t kLines = 20'000;
  std::string open, unclosed, quotes, nested = "[";
  for (size_t i = 0; i < kLines; ++i) {
    open += "{\n";
    unclosed += "{\"a\":\n";
    quotes += "{\"a\n";
    nested += "{\"a\":[,";
  }
  const std::string closed = open + [] {
    std::string text;
    for (size_t i = 0; i < kLines; ++i) text += "}\n";
    return text;
  }();
  for (const std::string& body : {open, unclosed, quotes, nested, closed}) {
    Notes notes;
    SplitRecords(body, {}, &notes);
    EXPECT_FALSE(notes.seen.empty());
    EXPECT_LE(notes.bytes_, 3 * body.size());
  }
}

}  // namespace
}  // namespace spool
