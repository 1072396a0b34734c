#include "app/ctl/session.h"

#include <unistd.h>

#include <cstdio>

#include "app/ctl/text.h"

namespace spool::ctl {
namespace {

std::string PathOf(const Noun& noun, const std::string& name) {
  return std::string(noun.path) + "/" + PercentEncode(name);
}

}  // namespace

bool Session::Confirm(std::string_view what) {
  if (yes) return true;
  if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
    out.Fail(
        {kRefused, "this would " + std::string(what) + "; nothing was done", "say --yes to do it"});
    return false;
  }
  std::fflush(stdout);
  const std::string where =
      replicas != nullptr && replicas->size() > 1
          ? ", and the like on " + Count(replicas->size() - 1, "replica") + " more"
          : "";
  std::fprintf(stderr, "This will %.*s%s. Go on? [y/N] ", static_cast<int>(what.size()),
               what.data(), where.c_str());
  std::fflush(stderr);
  std::string answer;
  for (char c = 0; answer.size() < 16 && read(STDIN_FILENO, &c, 1) == 1 && c != '\n';) answer += c;
  yes = answer == "y" || answer == "Y" || answer == "yes";
  if (yes) return true;
  out.Note("nothing was done");
  return false;
}

std::string Bare(const std::string& name, std::string_view type) {
  const std::string prefix = std::string(type) + "/";
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

Failure WithSuggestion(Session& session, const Noun& noun, const std::string& name,
                       Failure failure) {
  if (failure.exit != kNotFound) return failure;
  failure.message = "there is no " + std::string(noun.word) + " '" + Visible(name) + "'";
  const Outcome<Json> all = session.client.Get(std::string(noun.path));
  if (!all) return failure;
  std::vector<std::string> names;
  for (const Json& item : (*all)["items"].items()) names.push_back(item[noun.key].Text());
  if (const std::string meant = Closest(name, names); !meant.empty()) {
    failure.next = "did you mean '" + Visible(meant) + "'?";
  } else if (!names.empty()) {
    failure.next = "known: ";
    for (size_t i = 0; i < names.size() && i < 8; ++i) {
      failure.next += (i == 0 ? "" : ", ") + Visible(names[i]);
    }
    if (names.size() > 8) failure.next += ", …";
  }
  return failure;
}

Outcome<Json> GetNamed(Session& session, const Noun& noun, const std::string& name) {
  Outcome<Json> answer = session.client.Get(PathOf(noun, name));
  if (answer) return answer;
  return tl::unexpected<Failure>(WithSuggestion(session, noun, name, answer.error()));
}

Outcome<Json> PostNamed(Session& session, const Noun& noun, const std::string& name,
                        std::string_view verb, const std::string& body) {
  Outcome<Json> answer = session.client.Post(PathOf(noun, name) + ":" + std::string(verb), body);
  if (answer) return answer;
  return tl::unexpected<Failure>(WithSuggestion(session, noun, name, answer.error()));
}

}  // namespace spool::ctl
