// dlq export: every dead letter with its event, one JSON object a line.
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "app/ctl/command_line.h"
#include "app/ctl/text.h"

namespace spool::ctl {
namespace {

constexpr uint64_t kPage = 500;

struct Closer {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

class Export {
 public:
  Export(Session& session, std::string target) : session_(session), target_(std::move(target)) {}

  // Where lines go; empty: stdout.
  Outcome<int> Open(const std::string& path) {
    if (path.empty() || path == "-") return kDone;
    if (session_.out.merge() != nullptr) {
      return End(kUsage, "several replicas cannot write one file at once",
                 "leave FILE out and redirect, or name one with --server");
    }
    file_.reset(std::fopen(path.c_str(), "wx"));
    if (file_) return kDone;
    const bool there = errno == EEXIST;
    return End(kFailed, "cannot write " + Visible(path) + ": " + std::strerror(errno),
               there ? "name a file that does not exist" : "");
  }

  Outcome<int> Run() {
    std::string after;
    for (;;) {
      std::string path = "/api/v1/dead-letters?limit=" + std::to_string(kPage);
      if (!target_.empty()) path += "&target=" + PercentEncode(target_);
      if (!after.empty()) path += "&after=" + PercentEncode(after);
      const Outcome<Json> page = session_.client.Get(path);
      if (!page) {
        return tl::unexpected<Failure>(WithSuggestion(session_, kTarget, target_, page.error()));
      }
      for (const Json& item : (*page)["items"].items()) {
        if (const Outcome<int> one = One(item["id"].Text()); !one) return one;
      }
      const std::string next = (*page)["next"].Text();
      if (next.empty() || next == after) return Close();
      after = next;
    }
  }
  uint64_t letters() const { return letters_; }

 private:
  Outcome<int> One(const std::string& id) {
    Outcome<std::string> letter =
        session_.client.GetText("/api/v1/dead-letters/" + PercentEncode(id));
    if (!letter) {
      if (letter.error().exit == kNotFound) return kDone;  // delivered or dropped meanwhile
      return tl::unexpected<Failure>(letter.error());
    }
    while (letter->ends_with('\n')) letter->pop_back();
    ++letters_;
    if (!file_) {
      session_.out.JsonLine(*letter);
      return kDone;
    }
    *letter += '\n';
    if (std::fwrite(letter->data(), 1, letter->size(), file_.get()) != letter->size())
      return Full();
    return kDone;
  }
  Outcome<int> Close() {
    if (file_ && std::fclose(file_.release()) != 0) return Full();
    return kDone;
  }
  static Outcome<int> Full() {
    return End(kFailed, std::string("the file could not be written: ") + std::strerror(errno));
  }

  Session& session_;
  const std::string target_;
  std::unique_ptr<std::FILE, Closer> file_;
  uint64_t letters_ = 0;
};

Outcome<int> DlqExport(Session& session, const std::string& target, const std::string& path) {
  Export out(session, Bare(target, "target"));
  if (const Outcome<int> opened = out.Open(path); !opened) return opened;
  const Outcome<int> done = out.Run();
  if (!done) {
    if (out.letters() == 0) return done;
    session.out.Fail(done.error());
    session.out.Note("the first " + Count(out.letters(), "dead letter") + " are there");
    return kPartly;
  }
  session.out.Note("exported " + Count(out.letters(), "dead letter") +
                   "; they stay where they are");
  return kDone;
}

}  // namespace

void AddDlqExport(CLI::App& dlq, Chosen& chosen) {
  struct Words {
    std::string target;
    std::string path;
  };
  const auto words = std::make_shared<Words>();
  CLI::App* command =
      AddCommand(dlq, "export", "Write dead letters with their events, one JSON object a line",
                 "spoolctl dlq export --target kafka > letters.jsonl", chosen,
                 [words](Session& s) { return DlqExport(s, words->target, words->path); });
  command->add_option("FILE", words->path, "a file that does not exist yet (default: stdout)");
  command->add_option("--target", words->target, "of this target")->type_name("NAME");
}

}  // namespace spool::ctl
