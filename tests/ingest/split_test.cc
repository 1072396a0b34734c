#include "ingest/split.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "ingest/json_scan.h"
#include "tests/support/linear_time.h"

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

std::string Repeat(std::string_view piece, size_t times) {
  std::string text;
  while (times-- > 0) text += piece;
  return text;
}

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

// Whatever falls on the borders of what is looked at in one go.
TEST(Split, ElementsOfAnyShapeAtAnyPlace) {
  std::mt19937_64 random(5);
  const auto below = [&](uint64_t n) { return random() % n; };
  const auto text = [&] {
    static constexpr std::string_view kPieces[] = {"\\\"", "\\\\", "{", "}",   "[",
                                                   "]",    ",",    "x", "xyz", " "};
    std::string made = "\"";
    for (uint64_t n = below(4) == 0 ? below(150) : below(12); n > 0; --n) {
      made += below(8) == 0 ? kPieces[below(10)] : "abcdefg";
    }
    return made + "\"";
  };
  const std::function<std::string(int)> value = [&](int depth) -> std::string {
    const uint64_t kind = depth == 0 ? below(2) : below(4);
    if (kind == 0) return std::to_string(below(100'000));
    if (kind == 1) return text();
    std::string made;
    for (uint64_t n = below(5); n > 0; --n) {
      if (!made.empty()) made += ',';
      // Keys that differ: what is looked at is the split.
      if (kind == 2) made += "\"k" + std::to_string(random()) + "\":";
      made += value(depth - 1);
    }
    return kind == 2 ? "{" + made + "}" : "[" + made + "]";
  };
  for (int round = 0; round < 2000; ++round) {
    List elements;
    std::string body = std::string(below(70), ' ') + "[";
    for (uint64_t n = 1 + below(5); n > 0; --n) {
      std::string element = "{\"a\":" + value(3) + "}";
      if (!elements.empty()) body += below(2) == 0 ? "," : " ,\n ";
      body += element;
      elements.push_back(std::move(element));
    }
    body += "]";
    ASSERT_EQ(Split(body), elements) << body;
    ASSERT_EQ(Split(elements[0] + "\n" + elements.back()), (List{elements[0], elements.back()}));
  }
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
}

// What a list of Go that was never filled looks like.
TEST(Split, AListWhoseItemsAreNullIsEmpty) {
  for (const std::string_view body : {R"({"kind":"EventList","apiVersion":"v1","items":null})",
                                      R"({"items" : null , "kind":"List"})",
                                      R"({"kind":"EventList","items":null,"metadata":{}})"}) {
    Notes notes;
    EXPECT_TRUE(SplitRecords(body, {}, &notes)) << body;
    EXPECT_EQ(notes.seen, List{}) << body;
  }
  EXPECT_EQ(Split("{\"kind\":\"EventList\",\"items\":null}\n{\"a\":1}"), List{R"({"a":1})"});
  for (const std::string_view record :
       {R"({"kind":"EventList","items":nullx})", R"({"kind":"EventList","items":{"a":1}})",
        R"({"kind":"EventList","items":"null"})", R"({"kind":"EventList"})",
        R"({"kind":"Order","items":null})", R"({"items":null})"}) {
    const auto seen = Split(record, {.bare_items = true});
    ASSERT_EQ(seen.size(), 1U) << record;
    EXPECT_NE(seen[0].find(record), std::string::npos) << record;
  }
  EXPECT_EQ(Split(R"({"kind":"EventList","items":null,"items":[{"a":1}]})").size(), 1U);
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

// Lines behind an array or a list that does not end are not part of it.
TEST(Split, AListThatDoesNotEndCostsNoLineBehindIt) {
  const List lines = {R"({"l":3})", R"({"l":4})"};
  const std::string tail = "\n{\"l\":3}\n{\"l\":4}\n";
  const std::string list = R"({"kind":"EventList","apiVersion":"v1","items":[)";
  const auto ends = [&](const std::string& body) {
    List seen = Split(body);
    std::erase(seen, "!");  // where the list ends may be told between the lines
    return seen.size() >= 2 && List(seen.end() - 2, seen.end()) == lines;
  };
  EXPECT_EQ(Split(R"([{"l":1},{"l":2)" + tail),
            (List{R"({"l":1})", R"(!{"l":2)", R"({"l":3})", R"({"l":4})"}));
  EXPECT_EQ(Split(list + R"({"l":1},{"l":2)" + tail),
            (List{R"({"l":1})", R"(!{"l":2)", R"({"l":3})", R"({"l":4})"}));
  for (const std::string& open : {std::string("["), list}) {
    for (const char* cut : {"", R"({"l":1})", R"({"l":1},)", R"({"l":1},{)", R"({"l":1},{"l)",
                            R"({"l":1},{"l":)", R"({"l":1},{"l":[2,)", R"({"l":1},{"l":"x)",
                            R"({"l":1},{"l":nan)", R"({"l":1},nan)", R"({"l":1},nan,17)"}) {
      EXPECT_TRUE(ends(open + cut + tail)) << open << cut;
    }
  }
  // Closed by a bracket that was not meant for it.
  EXPECT_EQ(Split("[{\"l\":1},{\"l\":2\n{\"l\":3}\n{\"l\":4}\n]"),
            (List{R"({"l":1})", R"(!{"l":2)", R"({"l":3})", R"({"l":4})", "!]"}));
  // Broken behind its items.
  EXPECT_TRUE(ends(list + R"({"l":1}],"metadata":{)" + tail));
  EXPECT_TRUE(ends(list + R"({"l":1}] x)" + tail));
  EXPECT_TRUE(ends(list + R"({"l":1}],"items":[{"l":2}])" + tail));
  EXPECT_EQ(Split(list + R"({"l":1}] x}{"l":2})"), (List{R"({"l":1})", "! x}", R"({"l":2})"}));
}

TEST(Split, ListsBehindAListThatDoesNotEndAreListsStill) {
  const std::string list = R"({"kind":"EventList","apiVersion":"v1","items":[)";
  const std::string tail = "\n" + list + R"({"l":3}]})" + "\n" + list + R"({"l":4}]})" + "\n";
  for (const char* cut : {"", R"({"l":1})", R"({"l":1},)", R"({"l":1},{"l":2)", R"({"l":1},{"l":)",
                          R"({"l":1}])", R"({"l":1}],"x":")"}) {
    Notes notes;
    SplitRecords(list + cut + tail, {}, &notes);
    ASSERT_GE(notes.seen.size(), 2U) << cut;
    EXPECT_EQ(List(notes.seen.end() - 2, notes.seen.end()), (List{R"({"l":3})", R"({"l":4})"}))
        << cut;
    EXPECT_EQ(notes.lists.back(), ListKind::kEvent) << cut;
  }
  EXPECT_EQ(Split("[{\"l\":1},{\"l\":2}\n[{\"l\":3}]\n"),
            (List{R"({"l":1})", R"({"l":2})", "!", R"({"l":3})"}));
}

// JSON over several lines is no body of lines, also where an element is bad.
TEST(Split, AnArrayOverSeveralLinesLosesOnlyItsBadElement) {
  EXPECT_EQ(Split("[\n{\"a\":1}\n,\n{\n\"b\":\n{\"x\":nan}\n},\n{\"c\":3}\n]\n"),
            (List{R"({"a":1})", "!{\n\"b\":\n{\"x\":nan}\n}", R"({"c":3})"}));
  EXPECT_EQ(Split("[{\"a\":\"x\n{y\"},{\"c\":3}]"), (List{"!{\"a\":\"x\n{y\"}", R"({"c":3})"}));
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

// Bodies made to have each piece looked at again and again: the work stays in proportion, by what
// is handed over and by the time that it takes.
TEST(Split, WorksInLinearTimeOnBodiesMadeToStallIt) {
  const std::function<std::string(size_t)> bodies[] = {
      [](size_t n) { return Repeat("{\n", n); },
      [](size_t n) { return Repeat("{\"a\":\n", n); },
      [](size_t n) { return Repeat("{\"a\n", n); },
      [](size_t n) { return "[" + Repeat("{\"a\":[,", n); },
      [](size_t n) { return Repeat("{\n", n) + Repeat("}\n", n); },
      [](size_t n) { return Repeat("[\n", n); },
      [](size_t n) { return "[" + Repeat("\"\n", n); },
      [](size_t n) { return "{\"kind\":\"EventList\",\"items\":[" + Repeat("{\n", n); },
      [](size_t n) { return Repeat("{\"kind\":\"EventList\",\"items\":[\n", n); },
      [](size_t n) { return "\"" + Repeat("\\", n); },
  };
  constexpr size_t kLines = 10'000;
  for (const auto& body : bodies) {
    const auto split = [](const std::string& text) {
      Notes notes;
      SplitRecords(text, {}, &notes);
      EXPECT_FALSE(notes.seen.empty());
      EXPECT_LE(notes.bytes_, 3 * text.size());
    };
    EXPECT_LT(GrowthOverEightfold(kLines, body, split), kGrowthMax) << body(3);
  }
}

// Whatever comes before it, a whole line at a body's end is never lost, and nothing is told twice.
TEST(Split, TheLastLineIsHandedOverWhateverIsBeforeIt) {
  class Order : public Notes {
   public:
    explicit Order(std::string_view body) : body_(body) {}
    Answer Record(std::string_view text, ListKind list) override {
      const Answer answer = Notes::Record(text, list);
      if (answer == Answer::kTaken) Told(text);
      return answer;
    }
    Answer Unreadable(std::string_view text) override {
      bytes_ += text.size();
      Told(text);
      return Notes::Unreadable(text);
    }
    bool in_order = true;

   private:
    void Told(std::string_view text) {
      const auto begin = static_cast<size_t>(text.data() - body_.data());
      in_order = in_order && begin >= told_;
      told_ = begin + text.size();
    }
    const std::string_view body_;
    size_t told_ = 0;
  };
  constexpr std::string_view kParts[] = {"{",
                                         "}",
                                         "[",
                                         "]",
                                         ",",
                                         ":",
                                         "\"",
                                         "\n",
                                         " ",
                                         "\\",
                                         "1",
                                         "null",
                                         "{\"a\":1}",
                                         "\"items\":[",
                                         "{\"kind\":\"EventList\",\"items\":[",
                                         "\"items\":null",
                                         "\n{",
                                         "\n[",
                                         "\"k\":",
                                         "x"};
  for (uint32_t seed = 1; seed <= 20'000; ++seed) {
    std::mt19937 random(seed);
    std::string body;
    for (uint32_t n = random() % 24; n > 0; --n) body += kParts[random() % std::size(kParts)];
    body += "\n{\"z\":1}\n";
    for (const bool bare : {false, true}) {
      Order order(body);
      SplitRecords(body, {.bare_items = bare}, &order);
      EXPECT_TRUE(order.in_order) << "seed " << seed << "\n" << body;
      EXPECT_LE(order.bytes_, 4 * body.size()) << "seed " << seed << "\n" << body;
      bool found = false;
      for (const std::string& text : order.seen) {
        found = found || (text[0] != '!' && text.find(R"({"z":1})") != std::string::npos);
      }
      EXPECT_TRUE(found) << "seed " << seed << "\n" << body;
    }
  }
}

// Takes what is JSON at a glance; looks at nothing, so that all time is the splitter's.
class Glance : public RecordHandler {
 public:
  Answer Record(std::string_view text, ListKind) override {
    return ++records, text.starts_with("{\"p\"") ? Answer::kTaken : Answer::kUnreadable;
  }
  Answer Unreadable(std::string_view) override { return ++unreadable, Answer::kTaken; }
  size_t records = 0, unreadable = 0;
};

// Each of these would be looked at to its end from each of its records: many times the bound.
TEST(Split, ManyBadRecordsDoNotLookBeyondThemselves) {
  constexpr size_t kBad = 100'000;
  const std::string tail = "{\"p\":\"" + std::string(size_t{32} << 20, 'x') + "\"}";
  const auto repeat = [](std::string_view text) {
    std::string out;
    for (size_t i = 0; i < kBad; ++i) out += text;
    return out;
  };
  const auto begin = std::chrono::steady_clock::now();
  Glance before_a_tail, open_arrays, list_elements;
  SplitRecords(repeat("{a}") + tail, {}, &before_a_tail);
  EXPECT_EQ(before_a_tail.records, kBad + 1);
  EXPECT_EQ(before_a_tail.unreadable, kBad);
  SplitRecords(repeat("{\"a\":1],\"k\":[\n"), {}, &open_arrays);
  EXPECT_GE(open_arrays.unreadable, kBad);
  SplitRecords("{\"kind\":\"List\",\"items\":[" + repeat("\n{\"a\":1],\"k\":[,"), {},
               &list_elements);
  EXPECT_GE(list_elements.unreadable, kBad);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

}  // namespace
}  // namespace spool
