#include "app/ctl/contexts.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "app/config_file.h"
#include "app/ctl/json.h"
#include "app/ctl/text.h"

namespace spool::ctl {
namespace {

constexpr size_t kFileMax = size_t{1} << 20;
constexpr size_t kServersMax = 64;
constexpr char kServerByDefault[] = "http://127.0.0.1:8081";

std::string Env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string Home() {
  std::string home = Env("HOME");
  if (!home.empty()) return home;
  const passwd* user = getpwuid(geteuid());
  return user == nullptr || user->pw_dir == nullptr ? "" : user->pw_dir;
}

std::string WithHome(const std::string& path) {
  return path.starts_with("~/") ? Home() + path.substr(1) : path;
}

// Every string member of a context but its servers.
struct TextField {
  const char* key;
  std::string Context::*into;
};
constexpr TextField kTexts[] = {{"token_file", &Context::token_file},
                                {"ca_file", &Context::ca_file},
                                {"cert_file", &Context::cert_file},
                                {"key_file", &Context::key_file}};

bool IsText(const YamlNode& node) { return node.kind == YamlNode::Kind::kScalar; }

void ReadServers(const YamlNode& node, Context& context, ConfigProblems& problems) {
  if (IsText(node)) context.servers = SplitServers(node.text);
  for (const YamlNode& item : node.items) {
    if (!IsText(item) || item.text.empty()) {
      problems.Add(item.start, "a server is an address such as https://HOST:8081");
      continue;
    }
    context.servers.push_back(item.text);
  }
  if (context.servers.empty()) problems.Add(node.start, "it names no server");
  if (context.servers.size() > kServersMax) problems.Add(node.start, "more than 64 servers");
}

Context ReadContext(const YamlNode::Entry& entry, ConfigProblems& problems) {
  Context context;
  context.name = entry.key;
  for (const YamlNode::Entry& member : entry.value.entries) {
    const auto text = std::ranges::find_if(
        kTexts, [&](const TextField& field) { return member.key == field.key; });
    if (member.key == "servers" || member.key == "server") {
      ReadServers(member.value, context, problems);
    } else if (text == std::end(kTexts)) {
      problems.Add(member.place, "unknown key '" + member.key + "'",
                   "a context has servers, token_file, ca_file, cert_file and key_file");
    } else if (!IsText(member.value)) {
      problems.Add(member.value.start, "'" + member.key + "' is the name of a file");
    } else {
      context.*(text->into) = WithHome(member.value.text);
    }
  }
  if (context.servers.empty() && problems.empty()) {
    problems.Add(entry.place, "the context '" + entry.key + "' names no server",
                 "servers: [https://HOST:8081]");
  }
  return context;
}

void ReadTree(const YamlNode& root, ContextFile& file, ConfigProblems& problems) {
  for (const YamlNode::Entry& entry : root.entries) {
    if (entry.key == "current" && IsText(entry.value)) {
      file.current = entry.value.text;
    } else if (entry.key == "contexts" && entry.value.kind != YamlNode::Kind::kScalar) {
      for (const YamlNode::Entry& one : entry.value.entries) {
        file.contexts.push_back(ReadContext(one, problems));
      }
    } else if (entry.key != "current" || entry.value.kind != YamlNode::Kind::kNull) {
      problems.Add(entry.place, "unknown key '" + entry.key + "'",
                   "the file has 'current' and 'contexts'");
    }
  }
}

tl::unexpected<Failure> Damaged(const std::string& path, ConfigProblems& problems) {
  ConfigResult result;
  problems.MoveTo(result);
  const ConfigProblem& first = result.problems.front();
  std::string where = Visible(path);
  if (first.line > 0) {
    where += ":" + std::to_string(first.line) + ":" + std::to_string(first.column);
  }
  return End(kBadConfig, where + ": " + Visible(first.message), Visible(first.hint));
}

tl::unexpected<Failure> NoWriting(const std::string& path) {
  return End(kFailed, "cannot write " + Visible(path) + ": " + std::strerror(errno));
}

tl::unexpected<Failure> NoSuchContext(const ContextFile& file, const std::string& name) {
  std::vector<std::string> names;
  for (const Context& context : file.contexts) names.push_back(context.name);
  const std::string meant = Closest(name, names);
  std::string next = "make it with 'spoolctl context add NAME --server URL'";
  if (!meant.empty()) {
    next = "did you mean '" + Visible(meant) + "'?";
  } else if (!names.empty()) {
    next = "see 'spoolctl context ls'";
  }
  return End(kNotFound, "there is no context '" + Visible(name) + "' in " + Visible(file.path),
             next);
}

Context Plain(const std::string& servers) {
  Context context;
  context.servers = SplitServers(servers);
  return context;
}

// "spool-0.spool:8081" of "https://spool-0.spool:8081/".
std::string HostOf(std::string server) {
  if (const size_t at = server.find("://"); at != server.npos) server.erase(0, at + 3);
  return server.substr(0, server.find('/'));
}

}  // namespace

const Context* ContextFile::Find(std::string_view name) const {
  const auto it = std::ranges::find_if(contexts, [&](const Context& c) { return c.name == name; });
  return it == contexts.end() ? nullptr : &*it;
}

std::string ContextPath() {
  if (const std::string path = Env("SPOOLCTL_CONTEXTS"); !path.empty()) return path;
  std::string base = Env("XDG_CONFIG_HOME");
  if (!base.starts_with('/')) {  // a relative one is to be ignored, as its specification says
    const std::string home = Home();
    if (home.empty()) return {};
    base = home + "/.config";
  }
  return base + "/spoolctl/contexts.yaml";
}

Outcome<ContextFile> ReadContexts() {
  ContextFile file;
  file.path = ContextPath();
  std::error_code error;
  if (file.path.empty() || !std::filesystem::exists(file.path, error)) return file;
  std::ifstream in(file.path, std::ios::binary);
  std::string text(kFileMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (!in && !in.eof())) {
    return End(kFailed, "the contexts in " + Visible(file.path) + " cannot be read");
  }
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > kFileMax) return End(kBadConfig, Visible(file.path) + " is larger than 1 MiB");
  ConfigProblems problems;
  const auto source = std::make_shared<const ConfigText>(file.path, text);
  if (const std::optional<YamlNode> root = ParseYaml(source, problems)) {
    if (root->kind == YamlNode::Kind::kMap) {
      ReadTree(*root, file, problems);
    } else if (root->kind != YamlNode::Kind::kNull) {
      problems.Add(root->start, "the file has 'current' and 'contexts'");
    }
  }
  if (!problems.empty()) return Damaged(file.path, problems);
  return file;
}

Outcome<int> WriteContexts(const ContextFile& file) {
  if (file.path.empty()) return End(kFailed, "there is no home directory for contexts");
  std::string text = "# Where spoolctl finds spoold; see 'spoolctl context --help'.\n";
  if (!file.current.empty()) text += "current: " + JsonString(file.current) + "\n";
  text += file.contexts.empty() ? "contexts: {}\n" : "contexts:\n";
  for (const Context& context : file.contexts) {
    text += "  " + JsonString(context.name) + ":\n    servers:\n";
    for (const std::string& server : context.servers) {
      text += "      - " + JsonString(server) + "\n";
    }
    for (const TextField& field : kTexts) {
      const std::string& value = context.*(field.into);
      if (!value.empty()) text += "    " + std::string(field.key) + ": " + JsonString(value) + "\n";
    }
  }
  const std::filesystem::path path(file.path);
  if (!path.parent_path().empty()) {
    std::error_code error;
    std::filesystem::create_directories(path.parent_path().parent_path(), error);
    if (mkdir(path.parent_path().c_str(), 0700) != 0 && errno != EEXIST) {
      return NoWriting(path.parent_path());
    }
  }
  std::string temporary = file.path + ".XXXXXX";
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return NoWriting(file.path);
  const bool written =
      write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  close(fd);
  if (!written || rename(temporary.c_str(), file.path.c_str()) != 0) {
    const auto failure = NoWriting(file.path);
    unlink(temporary.c_str());
    return failure;
  }
  return kDone;
}

Outcome<Context> Resolve(const Wanted& wanted) {
  if (!wanted.server.empty() && !wanted.context.empty()) {
    return End(kUsage, "--server and --context exclude each other",
               "a context names its own servers");
  }
  const auto plain = [](const std::string& servers) -> Outcome<Context> {
    Context context = Plain(servers);
    if (context.servers.empty()) {
      return End(kUsage, "'" + Visible(servers) + "' names no server",
                 "give --server as http://HOST:PORT");
    }
    if (context.servers.size() > kServersMax) return End(kUsage, "these are more than 64 servers");
    return context;
  };
  if (!wanted.server.empty()) return plain(wanted.server);
  std::string name = wanted.context;
  if (name.empty() && !wanted.env_server.empty()) return plain(wanted.env_server);
  if (name.empty()) name = wanted.env_context;
  const Outcome<ContextFile> file = ReadContexts();
  if (!file) return tl::unexpected<Failure>(file.error());
  if (name.empty()) name = file->current;
  if (name.empty()) return Plain(kServerByDefault);
  const Context* context = file->Find(name);
  if (context == nullptr) return NoSuchContext(*file, name);
  return *context;
}

std::vector<std::string> SplitServers(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    std::string_view one = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (!one.empty()) out.emplace_back(one);
  }
  return out;
}

std::vector<std::string> ReplicaNames(const std::vector<std::string>& servers) {
  std::vector<std::string> whole;
  std::set<std::string> labels;
  bool shorten = true;
  for (const std::string& server : servers) {
    whole.push_back(HostOf(server));
    const std::string label = whole.back().substr(0, whole.back().find_first_of(".:"));
    const bool word =
        !label.empty() && label.find_first_not_of("0123456789") != label.npos && label[0] != '[';
    shorten = shorten && word && labels.insert(label).second;
  }
  if (!shorten) return whole;
  for (std::string& name : whole) name.erase(std::min(name.find_first_of(".:"), name.size()));
  return whole;
}

}  // namespace spool::ctl
