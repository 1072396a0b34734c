#include "app/ctl/completion.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "app/ctl/command_line.h"
#include "app/ctl/contexts.h"
#include "app/ctl/replicas.h"
#include "app/ctl/text.h"

namespace spool::ctl {
namespace {

constexpr Millis kLiveNames{300};  // a shell that hangs is worse than one that knows no names
constexpr size_t kServersAsked = 3;
constexpr size_t kNamesMax = 500;

constexpr char kFiles[] = ":files\n";

// What can stand for a flag's value or a command's argument.
enum class Of {
  kNothing,
  kFiles,
  kFormats,
  kContexts,
  kStreams,
  kTargets,
  kSources,
  kReplays,
  kLetters,
  kSeverities,
  kCategories,
  kClocks,
  kSorts,
  kPaths,
  kShells,
};

Of OfFlag(const std::string& flag) {
  static const std::map<std::string, Of> flags = {
      {"--output", Of::kFormats},      {"-o", Of::kFormats},
      {"--context", Of::kContexts},    {"--stream", Of::kStreams},
      {"--target", Of::kTargets},      {"--source", Of::kSources},
      {"--severity", Of::kSeverities}, {"--category", Of::kCategories},
      {"--by", Of::kClocks},           {"--sort", Of::kSorts},
      {"--path", Of::kPaths},          {"--after", Of::kLetters},
      {"--token-file", Of::kFiles},    {"--ca", Of::kFiles},
      {"--ca-file", Of::kFiles},       {"--cert", Of::kFiles},
      {"--key", Of::kFiles},           {"--data-dir", Of::kFiles},
      {"--file", Of::kFiles}};
  const auto it = flags.find(flag);
  return it == flags.end() ? Of::kNothing : it->second;
}

Of OfArgument(const std::string& noun, const std::string& verb) {
  static const std::map<std::string, Of> nouns = {
      {"stream", Of::kStreams}, {"target", Of::kTargets},   {"source", Of::kSources},
      {"replay", Of::kReplays}, {"dlq", Of::kLetters},      {"context", Of::kContexts},
      {"config", Of::kFiles},   {"completion", Of::kShells}};
  if (noun == "context" && verb == "add") return Of::kNothing;
  if (noun == "dlq" && verb == "export") return Of::kFiles;
  const auto it = nouns.find(noun);
  return it == nouns.end() ? Of::kNothing : it->second;
}

struct Candidate {
  std::string word;
  std::string what;
};

// Fixed words, and what they mean.
std::vector<Candidate> Fixed(Of of) {
  switch (of) {
    case Of::kFormats:
      return {{"table", "for people"},  {"wide", "with every column"},
              {"json", "one document"}, {"jsonl", "one object a line"},
              {"yaml", "one document"}, {"name", "TYPE/NAME a line"}};
    case Of::kSeverities:
      return {{"debug", ""}, {"info", ""},     {"notice", ""}, {"warning", ""},
              {"error", ""}, {"critical", ""}, {"alert", ""},  {"emergency", ""}};
    case Of::kCategories: return {{"infrastructure", ""}, {"security", ""}, {"admission", ""}};
    case Of::kClocks: return {{"accept-time", "when spoold took it"}, {"event-time", "its own"}};
    case Of::kSorts: return {{"lag", ""}, {"rate", ""}, {"dead", ""}, {"name", ""}};
    case Of::kPaths:
      return {{"/v1/events", ""},
              {"/events", ""},
              {"/audit", ""},
              {"/webhook", ""},
              {"/botkube", ""},
              {"/falco", ""},
              {"/gatekeeper", ""},
              {"/kubearmor", ""},
              {"/fluentbit", ""},
              {"/v1/logs", ""},
              {"/admission/validating", ""},
              {"/admission/mutating", ""}};
    case Of::kShells: return {{"bash", ""}, {"zsh", ""}, {"fish", ""}};
    default: return {};
  }
}

std::vector<Candidate> Contexts() {
  std::vector<Candidate> out;
  const Outcome<ContextFile> file = ReadContexts();
  if (!file) return out;
  for (const Context& context : file->contexts) {
    out.push_back({context.name, context.servers.empty() ? "" : context.servers.front()});
  }
  return out;
}

struct LiveNames {
  const char* path;
  const char* key;
  const char* what;  // a member that tells the names apart
};
std::optional<LiveNames> LiveOf(Of of) {
  switch (of) {
    case Of::kStreams: return LiveNames{"/api/v1/streams", "name", "events"};
    case Of::kTargets: return LiveNames{"/api/v1/targets", "name", "state"};
    case Of::kSources: return LiveNames{"/api/v1/sources", "name", "type"};
    case Of::kReplays: return LiveNames{"/api/v1/replays", "id", "state"};
    case Of::kLetters: return LiveNames{"/api/v1/dead-letters?limit=200", "id", "reason"};
    default: return std::nullopt;
  }
}

std::string Env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// What was already said of where the servers are.
struct Told {
  std::map<std::string, std::string> flags;
  std::string Get(const char* flag, const char* variable) const {
    const auto it = flags.find(flag);
    return it == flags.end() ? Env(variable) : it->second;
  }
};

std::vector<Candidate> Live(const LiveNames& live, const Told& told, Interrupt& interrupt) {
  std::vector<Candidate> out;
  const auto flag = [&](const char* name) {
    const auto it = told.flags.find(name);
    return it == told.flags.end() ? std::string() : it->second;
  };
  Outcome<Context> context = Resolve(
      {flag("--server"), flag("--context"), Env("SPOOLCTL_SERVER"), Env("SPOOLCTL_CONTEXT")});
  if (!context) return out;
  if (context->servers.size() > kServersAsked) context->servers.resize(kServersAsked);
  const auto either = [](std::string first, const std::string& second) {
    return first.empty() ? second : std::move(first);
  };
  ClientOptions options;
  options.token_file = either(told.Get("--token-file", "SPOOLCTL_TOKEN_FILE"), context->token_file);
  options.ca_file = either(told.Get("--ca", "SPOOLCTL_CA_FILE"), context->ca_file);
  options.cert_file = either(told.Get("--cert", "SPOOLCTL_CERT_FILE"), context->cert_file);
  options.key_file = either(told.Get("--key", "SPOOLCTL_KEY_FILE"), context->key_file);
  options.timeout = kLiveNames;
  const auto replicas = MakeReplicas(context->servers, options, interrupt.token());
  if (!replicas) return out;
  for (const Replica& replica : *replicas) {
    const Outcome<Json> answer = replica.client->Get(live.path);
    if (!answer) continue;
    for (const Json& item : (*answer)["items"].items()) {
      const std::string name = item[live.key].Text();
      const bool known =
          std::ranges::any_of(out, [&](const Candidate& c) { return c.word == name; });
      if (!known && out.size() < kNamesMax) {
        const std::string what = item[live.what].Text();
        out.push_back({name, std::string(live.what) + " " + what});
      }
    }
  }
  return out;
}

std::string Render(const std::vector<Candidate>& candidates, const std::string& start) {
  std::string out;
  for (const Candidate& candidate : candidates) {
    const std::string word = Visible(candidate.word);
    if (!word.starts_with(start) || word.find_first_of(" \t") != word.npos) continue;
    out += word;
    if (!candidate.what.empty()) out += "\t" + Visible(candidate.what);
    out += "\n";
  }
  return out;
}

std::string Values(Of of, const std::string& start, const Told& told, Interrupt& interrupt) {
  if (of == Of::kFiles) return kFiles;
  if (of == Of::kContexts) return Render(Contexts(), start);
  if (const auto live = LiveOf(of)) return Render(Live(*live, told, interrupt), start);
  return Render(Fixed(of), start);
}

const CLI::Option* FlagOf(const CLI::App* at, const std::string& name) {
  for (; at != nullptr; at = at->get_parent()) {
    if (const CLI::Option* option = at->get_option_no_throw(name)) return option;
  }
  return nullptr;
}

const CLI::App* Below(const CLI::App* at, const std::string& name) {
  for (const CLI::App* command : at->get_subcommands(nullptr)) {
    if (command->get_name() == name) return command;
  }
  return nullptr;
}

std::vector<Candidate> Flags(const CLI::App* at) {
  std::vector<Candidate> out;
  for (; at != nullptr; at = at->get_parent()) {
    for (const CLI::Option* option : at->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        const bool known =
            std::ranges::any_of(out, [&](const Candidate& c) { return c.word == "--" + name; });
        if (!known) out.push_back({"--" + name, option->get_description()});
      }
    }
  }
  return out;
}

}  // namespace

std::string Complete(const CLI::App& app, const std::vector<std::string>& words,
                     Interrupt& interrupt) {
  const CLI::App* at = &app;
  std::vector<std::string> path;
  Told told;
  std::string waiting;  // the flag whose value comes next
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (!waiting.empty()) {
      told.flags[waiting] = word;
      waiting.clear();
      continue;
    }
    if (word.size() > 1 && word[0] == '-') {
      const size_t equals = word.find('=');
      const std::string name = word.substr(0, equals);
      const CLI::Option* option = FlagOf(at, name);
      if (option == nullptr || option->get_items_expected_max() == 0) continue;
      if (equals != word.npos) {
        told.flags[name] = word.substr(equals + 1);
      } else {
        waiting = name;
      }
      continue;
    }
    const CLI::App* below = Below(at, word);
    if (below == nullptr) continue;
    at = below;
    path.push_back(word);
  }
  const std::string start = words.empty() ? "" : words.back();
  if (!waiting.empty()) return Values(OfFlag(waiting), start, told, interrupt);
  if (start.starts_with("--") && start.find('=') != start.npos) {
    const size_t equals = start.find('=');
    const std::string flag = start.substr(0, equals);
    const std::string values = Values(OfFlag(flag), start.substr(equals + 1), told, interrupt);
    if (values == kFiles) return values;
    std::string out;  // a shell replaces the whole word
    for (size_t from = 0; from < values.size();) {
      const size_t end = values.find('\n', from) + 1;
      out += flag + "=" + values.substr(from, end - from);
      from = end;
    }
    return out;
  }
  if (start.starts_with('-')) return Render(Flags(at), start);
  const auto below = at->get_subcommands([](const CLI::App* c) { return !c->get_group().empty(); });
  if (!below.empty()) {
    std::vector<Candidate> out;
    for (const CLI::App* command : below) {
      out.push_back({command->get_name(), command->get_description()});
    }
    return Render(out, start);
  }
  if (path.empty()) return {};
  const bool takes_words = std::ranges::any_of(
      at->get_options(), [](const CLI::Option* o) { return o->get_positional(); });
  if (!takes_words) return {};
  return Values(OfArgument(path.front(), path.back()), start, told, interrupt);
}

std::string CompletionScript(const std::string& shell) {
  if (shell == "bash") {
    return R"(# bash completion for spoolctl; load it with:  source <(spoolctl completion bash)
_spoolctl() {
  local before=${COMP_LINE:0:COMP_POINT} words current line kept
  read -ra words <<<"$before"
  [[ $before == *[[:space:]] ]] && words+=("")
  current=${words[${#words[@]} - 1]}
  # Readline replaces only what follows the last of these.
  kept=
  [[ $current == *[:=]* ]] && kept=${current%"${current##*[:=]}"}
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == ":files" ]]; then
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "${current#"$kept"}")
      return
    fi
    line=${line%%$'\t'*}
    COMPREPLY+=("${line#"$kept"}")
  done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
}
complete -F _spoolctl spoolctl
)";
  }
  if (shell == "zsh") {
    return R"(#compdef spoolctl
# zsh completion for spoolctl; load it with:  source <(spoolctl completion zsh)
_spoolctl() {
  local -a lines offered
  local line what
  lines=("${(@f)$(${words[1]} __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ ${lines[1]} == ":files" ]]; then
    _files
    return
  fi
  for line in $lines; do
    [[ -n $line ]] || continue
    what=
    [[ $line == *$'\t'* ]] && what=${line#*$'\t'}
    offered+=("${${line%%$'\t'*}//:/\\:}:$what")
  done
  _describe -t spoolctl spoolctl offered
}
if [[ ${funcstack[1]} == _spoolctl ]]; then
  _spoolctl "$@"
else
  compdef _spoolctl spoolctl
fi
)";
  }
  if (shell == "fish") {
    return R"(# fish completion for spoolctl; load it with:  spoolctl completion fish | source
function __spoolctl_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l lines ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
    if test "$lines[1]" = ":files"
        __fish_complete_path "$current"
        return
    end
    if test (count $lines) -gt 0
        printf '%s\n' $lines
    end
end
complete -c spoolctl -f -a '(__spoolctl_complete)'
)";
  }
  return {};
}

}  // namespace spool::ctl
