#include "ingest/json_cursor.h"
#include "ingest/json_text.h"
#include "ingest/otlp.h"
#include "ingest/otlp_text.h"

namespace spool {
namespace {

bool IsDigits(std::string_view text) {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  return !digits.empty() && digits.size() < 20 &&
         digits.find_first_not_of("0123456789") == std::string_view::npos &&
         (digits.size() == 1 || digits.front() != '0');
}

// The text is JSON, so what is copied of it is, too.
class Records {
 public:
  Records(std::string_view body, const TranscodeLimits& limits, std::string* text,
          RecordHandler* handler)
      : body_(body), out_(limits, text), around_(limits, &around_text_), handler_(*handler) {}

  bool Request() {
    const std::string_view list = JsonMemberOf(body_, "resourceLogs");
    if (list.empty()) return true;  // of nothing: a success
    if (list == "null") return true;
    if (list.front() != '[') return false;
    JsonCursor cursor(list);
    for (std::string_view one; !stopped_ && cursor.NextElement(&one);) ResourceLogs(one);
    return true;
  }

 private:
  // What stands where a list or an object should.
  void Odd(std::string_view value) {
    if (!stopped_) stopped_ = handler_.Unreadable(value) == RecordHandler::Answer::kStop;
  }
  static bool IsList(std::string_view value) {
    return value.empty() || value == "null" || value.front() == '[';
  }

  void ResourceLogs(std::string_view one) {
    if (one.front() != '{' || !IsList(JsonMemberOf(one, "scopeLogs"))) return Odd(one);
    const std::string_view resource = JsonMemberOf(one, "resource");
    JsonCursor scopes(JsonMemberOf(one, "scopeLogs"));
    for (std::string_view scope; !stopped_ && scopes.NextElement(&scope);) {
      if (scope.front() != '{' || !IsList(JsonMemberOf(scope, "logRecords"))) {
        Odd(scope);
        continue;
      }
      Around(resource, JsonMemberOf(scope, "scope"));
      JsonCursor records(JsonMemberOf(scope, "logRecords"));
      for (std::string_view record; !stopped_ && records.NextElement(&record);) Take(record);
    }
  }

  // Made once for all records that it is around.
  void Around(std::string_view resource, std::string_view scope) {
    around_.Clear();
    sound_ = around_.Add("{");
    if (!resource.empty() && resource.front() == '{') {
      sound_ = sound_ && around_.Name("resource") &&
               KeyValues(JsonMemberOf(resource, "attributes"), 1, around_);
    }
    if (!scope.empty() && scope.front() == '{') sound_ = sound_ && Scope(scope);
    stopped_ = stopped_ || around_.starved();
  }

  void Take(std::string_view record) {
    out_.Clear();
    auto answer = RecordHandler::Answer::kUnreadable;
    if (sound_ && LogRecord(record)) answer = handler_.Record(out_.text(), ListKind::kNone);
    if (out_.starved()) {
      stopped_ = true;
      return;
    }
    if (answer == RecordHandler::Answer::kUnreadable) answer = handler_.Unreadable(record);
    stopped_ = answer == RecordHandler::Answer::kStop;
  }

  bool LogRecord(std::string_view record) {
    if (record.front() != '{' || !out_.Add("{")) return false;
    JsonCursor cursor(record);
    for (std::string_view key, value; cursor.NextMember(&key, &value);) {
      if (value == "null") continue;
      if (key == "resource" || key == "scope") continue;  // not a LogRecord's
      if (!out_.Name(key)) return false;
      const bool good = key == "body"         ? AnyValue(value, 1, out_)
                        : key == "attributes" ? KeyValues(value, 1, out_)
                                              : out_.Add(value);
      if (!good) return false;
    }
    const std::string_view around = std::string_view(around_text_).substr(1);
    if (!around.empty() && out_.text().back() != '{' && !out_.Add(",")) return false;
    return out_.Add(around) && out_.Add("}");
  }

  bool Scope(std::string_view scope) {
    if (!around_.Name("scope") || !around_.Add("{")) return false;
    for (const std::string_view key : {"name", "version"}) {
      const std::string_view value = JsonMemberOf(scope, key);
      if (!value.empty() && !(around_.Name(key) && around_.Add(value))) return false;
    }
    const std::string_view attributes = JsonMemberOf(scope, "attributes");
    if (!attributes.empty() && !(around_.Name("attributes") && KeyValues(attributes, 2, around_))) {
      return false;
    }
    return around_.Add("}");
  }

  // [{"key":…,"value":{…}}, …] as an object.
  bool KeyValues(std::string_view list, size_t depth, OtlpText& out) {
    if (depth >= out.depth_max()) return out.Fail(), false;
    if (!out.Add("{")) return false;
    JsonCursor cursor(list);
    for (std::string_view one; cursor.NextElement(&one);) {
      const std::string_view key = JsonMemberOf(one, "key");
      if (key.empty() || key.front() != '"') return false;
      if (!out.Name(JsonStringInside(key)) ||
          !AnyValue(JsonMemberOf(one, "value"), depth + 1, out)) {
        return false;
      }
    }
    return out.Add("}");
  }

  bool AnyValue(std::string_view value, size_t depth, OtlpText& out) {
    if (depth >= out.depth_max()) return out.Fail(), false;
    JsonCursor cursor(value);
    std::string_view key, inside;
    while (cursor.NextMember(&key, &inside)) {
      if (inside == "null") continue;
      if (key == "intValue") {  // a text of digits, or a number
        const std::string_view digits = inside.front() == '"' ? JsonStringInside(inside) : inside;
        return out.Add(IsDigits(digits) ? digits : inside);
      }
      if (key == "arrayValue") return Array(JsonMemberOf(inside, "values"), depth, out);
      if (key == "kvlistValue") return KeyValues(JsonMemberOf(inside, "values"), depth + 1, out);
      if (key == "stringValue" || key == "boolValue" || key == "doubleValue" ||
          key == "bytesValue") {
        return out.Add(inside);
      }
    }
    return out.Add("null");
  }

  bool Array(std::string_view list, size_t depth, OtlpText& out) {
    if (!out.Add("[")) return false;
    JsonCursor cursor(list);
    bool first = true;
    for (std::string_view one; cursor.NextElement(&one); first = false) {
      if ((!first && !out.Add(",")) || !AnyValue(one, depth + 1, out)) return false;
    }
    return out.Add("]");
  }

  const std::string_view body_;
  OtlpText out_;
  std::string around_text_;  // `{"resource":{…},"scope":{…}` of the records at work
  OtlpText around_;
  RecordHandler& handler_;
  bool sound_ = false;  // what is around them could be read
  bool stopped_ = false;
};

}  // namespace

bool SplitOtlpJson(std::string_view body, const TranscodeLimits& limits, std::string* text,
                   RecordHandler* handler) {
  return Records(body, limits, text, handler).Request();
}

}  // namespace spool
