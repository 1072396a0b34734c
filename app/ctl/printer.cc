#include "app/ctl/printer.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "app/ctl/replica_merge.h"
#include "app/ctl/text.h"
#include "base/clock.h"
#include "base/time_text.h"

namespace spool::ctl {
namespace {

// Of a failure that has none of its own.
std::string CodeOf(int exit) {
  switch (exit) {
    case kUsage: return "usage";
    case kNotFound: return "not_found";
    case kRefused: return "not_confirmed";
    case kUnreachable: return "unreachable";
    case kPartly: return "partly_done";
    case kBadConfig: return "invalid_config";
    default: return "failed";
  }
}

std::string NameOf(const Json& item, const View& view) {
  return std::string(view.type) + "/" +
         Visible(view.named.empty() ? item[view.key].Text() : view.named);
}

}  // namespace

std::optional<Format> ParseFormat(std::string_view text) {
  static constexpr std::pair<std::string_view, Format> kFormats[] = {
      {"table", Format::kTable}, {"wide", Format::kWide}, {"json", Format::kJson},
      {"jsonl", Format::kJsonl}, {"yaml", Format::kYaml}, {"name", Format::kName}};
  for (const auto& [name, format] : kFormats) {
    if (name == text) return format;
  }
  return std::nullopt;
}

Printer::Printer(PrinterOptions options) : options_(options), terminal_(isatty(STDOUT_FILENO)) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  colour_ = options.colour && terminal_ && (no_colour == nullptr || *no_colour == '\0') &&
            (term == nullptr || std::strcmp(term, "dumb") != 0);
}

size_t Printer::width() const {
  if (!terminal_) return 0;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

Printer::~Printer() = default;
Printer::Printer(Printer&&) noexcept = default;

TableLook Printer::look() const { return {options_.headers, colour_, wide() ? 0 : width()}; }

void Printer::List(std::span<const Json> items, const View& view) {
  if (merge_) return merge_->AddList(items, view);
  switch (format()) {
    case Format::kTable:
    case Format::kWide: {
      if (items.empty()) {
        Note("no " + std::string(view.many));
        return;
      }
      Raw(view.table(items, wide()).Render(look()));
      return;
    }
    case Format::kJson: {
      std::string array = "[";
      for (const Json& item : items) array += (array.size() > 1 ? "," : "") + item.Dump();
      Pretty(array + "]");
      return;
    }
    case Format::kJsonl:
      for (const Json& item : items) Line(Safe(item.Dump()));
      return;
    case Format::kYaml:
      if (items.empty()) Line("[]");
      for (const Json& item : items) {
        const std::string yaml = item.Yaml(2);
        Raw("- " + yaml.substr(2));
      }
      return;
    case Format::kName:
      for (const Json& item : items) {
        Line(NameOf(item, view));
      }
      return;
  }
}

void Printer::One(const Json& item, const View& view, const std::function<std::string()>& details) {
  if (merge_) return merge_->AddOne(item, view, human() && details ? details() : "");
  switch (format()) {
    case Format::kTable:
    case Format::kWide: Raw(details()); return;
    case Format::kJson: Pretty(item.Dump()); return;
    case Format::kJsonl: Line(Safe(item.Dump())); return;
    case Format::kYaml: Raw(item.Yaml()); return;
    case Format::kName: Line(NameOf(item, view)); return;
  }
}

void Printer::Did(const Json& item, std::string_view type, std::string_view name,
                  std::string_view what) {
  if (merge_) return merge_->AddDone(item, type, name, what);
  const std::string full = std::string(type) + "/" + Visible(name);
  switch (format()) {
    case Format::kTable:
    case Format::kWide: Line(full + " " + std::string(what)); return;
    case Format::kJson: Pretty(item.Dump()); return;
    case Format::kJsonl: Line(Safe(item.Dump())); return;
    case Format::kYaml: Raw(item.Yaml()); return;
    case Format::kName: Line(full); return;
  }
}

std::string Printer::Safe(std::string json) const {
  return terminal_ ? VisibleJson(json) : std::move(json);
}

void Printer::Pretty(const std::string& json) {
  std::string text = Safe(PrettyJson(json));
  if (merge_) {
    const Result<Json> value = Json::Parse(json);
    return merge_->AddOne(value ? *value : Json(), View(), text + "\n");
  }
  Line(text);
}

void Printer::JsonLine(const std::string& json) {
  Raw(Safe(merge_ ? merge_->WithName(json) : json) + "\n");
}

void Printer::BeginReplica(const std::string& name) {
  if (!merge_) merge_ = std::make_unique<ReplicaMerge>();
  merge_->Begin(name);
}

std::vector<Failure> Printer::TakeFailures() {
  return merge_ ? merge_->TakeFailures() : std::vector<Failure>();
}

void Printer::EndReplicas() {
  const std::unique_ptr<ReplicaMerge> merge = std::move(merge_);
  if (merge) merge->Show(*this);
}

void Printer::Line(std::string_view text) {
  if (merge_) {
    Raw(merge_->Prefixed(text) + "\n");
    return;
  }
  Raw(text);
  Raw("\n");
}

void Printer::Raw(std::string_view text) {
  if (failed_ || text.empty()) return;
  const std::string shown = terminal_ ? ForLocale(std::string(text)) : std::string();
  if (terminal_) text = shown;
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return;
  Broken();
}

// A reader that has seen enough ends the program as it ends any filter.
void Printer::Broken() {
  if (errno == EPIPE) {
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
  }
  failed_ = true;
}

void Printer::Flush() {
  if (!failed_ && std::fflush(stdout) != 0) Broken();
}

void Printer::Draw(const std::string& line) {
  Raw("\r" + line + "\x1b[K");
  Flush();
}

void Printer::Note(std::string_view text) {
  Flush();
  const std::string whole = merge_ ? merge_->Prefixed(text) : std::string(text);
  std::fprintf(stderr, "%s\n", whole.c_str());
}

void Printer::Fail(const Failure& failure) {
  if (failure.message.empty()) return;
  if (merge_) return merge_->AddFailure(failure);
  const std::string code = failure.code.empty() ? CodeOf(failure.exit) : Visible(failure.code);
  Note("spoolctl: " + failure.message + " [" + code + "]");
  if (!failure.next.empty()) Note("  " + failure.next);
}

bool Printer::Finish() {
  Flush();
  if (failed_) {
    std::fprintf(stderr, "spoolctl: the output could not be written: %s\n", std::strerror(errno));
  }
  return !failed_;
}

std::string AgeOf(const Json& time) {
  const auto at = time.Time();
  return at ? FormatAge(RealClock().Now() - *at) : "-";
}

std::string TimeOf(const Json& time) {
  const auto at = time.Time();
  return at ? FormatTime(*at).substr(0, 19) + "Z" : "-";
}

}  // namespace spool::ctl
