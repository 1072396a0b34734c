// Where results go: stdout in the form that was asked for, notes and failures on stderr.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/ctl/failure.h"
#include "app/ctl/json.h"
#include "app/ctl/table.h"

namespace spool::ctl {

enum class Format { kTable, kWide, kJson, kJsonl, kYaml, kName };
std::optional<Format> ParseFormat(std::string_view text);

struct PrinterOptions {
  std::optional<Format> format;  // absent: the command's own default, mostly a table
  bool headers = true;
  bool colour = true;  // if stdout is a terminal that takes it
};

// How one kind of thing is shown.
struct View {
  std::string_view type;  // "target": names are printed as target/NAME
  std::string_view many;  // "targets"
  std::string_view key;   // the member that names it
  // Fills the table's rows; `wide` columns when asked for.
  std::function<Table(std::span<const Json>, bool wide)> table;
  std::string named = {};  // the name of a thing that no member names
};

// What several replicas said, until it can be shown together.
class ReplicaMerge;

// One thread.
class Printer {
 public:
  explicit Printer(PrinterOptions options);
  ~Printer();
  Printer(Printer&&) noexcept;

  Format format() const { return options_.format.value_or(Format::kTable); }
  bool format_given() const { return options_.format.has_value(); }
  bool wide() const { return format() == Format::kWide; }
  // Made to be read by a person: a table, wide or not.
  bool human() const { return format() == Format::kTable || wide(); }
  // stdout is one, and nobody else's answers have to wait for it.
  bool terminal() const { return terminal_ && merge_ == nullptr; }
  bool colour() const { return colour_; }
  size_t width() const;  // of the terminal; 0 if there is none
  TableLook look() const;

  void List(std::span<const Json> items, const View& view);
  // One thing: `details` for a person, the object itself otherwise.
  void One(const Json& item, const View& view, const std::function<std::string()>& details);
  // What was done to something: "target/kafka paused", or the object for a program.
  void Did(const Json& item, std::string_view type, std::string_view name, std::string_view what);

  void Pretty(const std::string& json);  // one JSON value, laid out
  // An object on a line of its own, at once; of one of several replicas with its name in it.
  void JsonLine(const std::string& json);
  void Line(std::string_view text);  // stdout, as it is, and a line end
  void Raw(std::string_view text);   // stdout, as it is
  void Flush();                      // so that a follower sees what there is
  // Replaces the terminal's last line by `line`, which stays open; empty: clears it.
  void Draw(const std::string& line);
  void Note(std::string_view text);   // stderr
  void Fail(const Failure& failure);  // stderr, nothing for an empty message
  // JSON text on its way out: on a terminal what could act on it is escaped.
  std::string Safe(std::string json) const;

  // From now on what is listed, shown or done is kept, as an answer of the replica `name`, and
  // failures are kept for TakeFailures. Notes and lines get its name in front.
  void BeginReplica(const std::string& name);
  std::vector<Failure> TakeFailures();
  // Shows what was kept: lists as one with a REPLICA column, single things one after the other.
  void EndReplicas();
  // The merge in progress; null outside.
  ReplicaMerge* merge() const { return merge_.get(); }
  // False, with a note, if stdout did not take everything. Call it last.
  bool Finish();

 private:
  void Broken();

  std::unique_ptr<ReplicaMerge> merge_;
  PrinterOptions options_;
  bool terminal_ = false;
  bool colour_ = false;
  bool failed_ = false;
};

// "41m" ago; "-" for a time that is absent.
std::string AgeOf(const Json& time);
// "2026-11-20T06:11:14Z"; "-" for a time that is absent.
std::string TimeOf(const Json& time);

}  // namespace spool::ctl
