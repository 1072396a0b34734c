#include "app/ctl/cli.h"

#include <CLI/CLI.hpp>
#include <csignal>

#include "app/ctl/arguments.h"
#include "app/ctl/check.h"
#include "app/ctl/command_line.h"
#include "app/ctl/commands.h"
#include "app/ctl/completion.h"
#include "app/ctl/config_cli.h"
#include "app/ctl/contexts.h"
#include "app/ctl/replicas.h"
#include "app/ctl/text.h"
#include "base/time_text.h"

namespace spool::ctl {
namespace {

// Everything a command line can say. CLI11 keeps pointers into it.
struct Arguments : Chosen, Where {
  std::string output;
  std::string timeout = "10s";
  bool no_color = false;
  bool no_headers = false;
  bool yes = false;

  std::string name;
  std::vector<std::string> names;
  std::string to;
  std::map<std::string, std::string> fields;
  EventQuery events;
  std::optional<uint64_t> limit;
  std::string scan;
  std::string by;
  DeadLetterQuery letters;
  DeadLetterChoice choice;
  ReplayStartOptions replay;
  std::string rate;
  bool client_only = false;
  bool accept_loss = false;
  ConfigArguments config;
};

CLI::Option* AddTime(CLI::App& command, const char* flag, std::string& into, const char* what) {
  return command.add_option(flag, into, what)->type_name("TIME")->check(CheckTime, "");
}

void AddGlobals(CLI::App& app, Arguments& args) {
  app.add_option("-o,--output", args.output, "table, wide, json, jsonl, yaml or name")
      ->type_name("FORMAT")
      ->check(CheckFormat, "");
  // Their variables are read by Resolve: a flag outranks both.
  app.add_option("--server", args.server,
                 "spoold's admin address (default 127.0.0.1:8081), several separated by commas "
                 "(Env:SPOOLCTL_SERVER)")
      ->type_name("URL");
  app.add_option("--context", args.context, "a named server (Env:SPOOLCTL_CONTEXT)")
      ->type_name("NAME");
  app.add_option("--token-file", args.token_file, "file that holds the token")
      ->type_name("FILE")
      ->envname("SPOOLCTL_TOKEN_FILE");
  app.add_option("--ca,--ca-file", args.ca_file, "certificates to trust for https, PEM")
      ->type_name("FILE")
      ->envname("SPOOLCTL_CA_FILE");
  app.add_option("--cert", args.cert_file, "our certificate, where the server asks for one, PEM")
      ->type_name("FILE")
      ->envname("SPOOLCTL_CERT_FILE");
  app.add_option("--key", args.key_file, "belongs to --cert, PEM")
      ->type_name("FILE")
      ->envname("SPOOLCTL_KEY_FILE");
  app.add_option("--timeout", args.timeout, "how long one request may take (default 10s)")
      ->type_name("DURATION")
      ->check(CheckTimeout, "");
  app.add_flag("--no-color", args.no_color, "no colours on a terminal (as NO_COLOR does)");
  app.add_flag("--no-headers", args.no_headers, "tables without their first line");
  app.add_flag("-y,--yes", args.yes, "do it without asking");
}

void AddStreams(CLI::App& app, Arguments& args) {
  CLI::App* noun = AddNoun(app, "stream", "Streams: what is stored");
  AddCommand(*noun, "ls", "List the streams", "spoolctl stream ls -o wide", args, StreamLs);
  AddCommand(*noun, "info", "Show one stream", "spoolctl stream info security-events", args,
             [&args](Session& s) { return StreamInfo(s, args.name); })
      ->add_option("NAME", args.name, "the stream")
      ->required();
}

void AddEventFlags(CLI::App& command, Arguments& args) {
  static constexpr std::pair<const char*, const char*> kFields[] = {
      {"stream", "of this stream"},     {"category", "infrastructure, security or admission"},
      {"source", "from this source"},   {"namespace", "objects in this namespace"},
      {"kind", "objects of this kind"}, {"name", "objects of this name"},
      {"reason", "with this reason"},   {"severity", "of this severity; '>=warning' compares"}};
  for (const auto& [key, what] : kFields) {
    command.add_option(std::string("--") + key, args.fields[key], what)->type_name("PATTERN");
  }
  command.add_option("--match", args.events.match, "any attribute or data.PATH, repeatable")
      ->type_name("K=V")
      ->allow_extra_args(false)
      ->check(CheckMatch, "");
  CLI::Option* since = AddTime(command, "--since", args.events.since,
                               "from then on: 10m, 2d, now-3h, 2026-11-20, RFC 3339");
  AddTime(command, "--from", args.events.from, "the same")->excludes(since);
  AddTime(command, "--to", args.events.to, "before then");
  command.add_option("--from-sequence", args.events.from_sequence, "from this sequence on")
      ->type_name("N");
  command.add_option("--to-sequence", args.events.to_sequence, "before this sequence")
      ->type_name("N");
  command.add_option("--limit", args.limit, "the newest N of them")
      ->type_name("N")
      ->check(CLI::Range(uint64_t{1}, uint64_t{100000}), "");
  command
      .add_option("--scan", args.scan,
                  "look through N events without a match, then stop (default 1000000), or all")
      ->type_name("N|all")
      ->check(CheckScan, "");
  command.add_option("--by", args.by, "accept-time (default) or event-time: what TIME means")
      ->type_name("CLOCK")
      ->check(CLI::IsMember({"accept-time", "event-time"}), "");
}

EventQuery QueryOf(const Arguments& args, bool follow) {
  EventQuery query = args.events;
  for (const char* key :
       {"stream", "category", "source", "namespace", "kind", "name", "reason", "severity"}) {
    const auto it = args.fields.find(key);
    if (it != args.fields.end() && !it->second.empty()) query.fields.emplace_back(key, it->second);
  }
  query.limit = args.limit;
  if (args.scan == "all") {
    query.scan_max = UINT64_MAX;
  } else if (!args.scan.empty()) {
    query.scan_max = std::strtoull(args.scan.c_str(), nullptr, 10);
  }
  query.by_event_time = args.by == "event-time";
  query.follow = query.follow || follow;
  return query;
}

Outcome<int> RunEvents(Session& session, const Arguments& args, bool tail) {
  EventQuery query = QueryOf(args, tail);
  if (query.follow && (!query.to.empty() || query.to_sequence)) {
    return End(kUsage, "what has an end cannot be followed", "leave out --to, or -f");
  }
  const bool lower = !query.since.empty() || !query.from.empty() || query.from_sequence;
  if (tail && !query.limit && !lower) query.limit = 10;
  return EventsLsOfReplicas(session, query);
}

void AddEvents(CLI::App& app, Arguments& args) {
  CLI::App* noun = AddNoun(app, "events", "Events: look into the streams");
  CLI::App* ls = AddCommand(
      *noun, "ls",
      "List events, oldest first: the newest 100 of the last hour unless told otherwise",
      "spoolctl events ls --since 2d --kind Pod --namespace 'prod-*' --severity '>=warning'\n"
      "  spoolctl events ls --stream security-events --since 7d -o jsonl > week.jsonl",
      args, [&args](Session& s) { return RunEvents(s, args, false); }, true);
  AddEventFlags(*ls, args);
  ls->add_flag("-f,--follow", args.events.follow, "then show what arrives");
  CLI::App* tail = AddCommand(
      *noun, "tail", "The newest 10 events, then what arrives",
      "spoolctl events tail --stream security-events", args,
      [&args](Session& s) { return RunEvents(s, args, true); }, true);
  AddEventFlags(*tail, args);
  tail->add_flag("-f,--follow", args.events.follow, "as without it");
  CLI::App* get = AddCommand(*noun, "get", "Show one event, as JSON unless -o says otherwise",
                             "spoolctl events get 4118871", args,
                             [&args](Session& s) { return EventsGet(s, args.name, args.events); });
  get->add_option("ID|SEQUENCE", args.name, "its id (32 hex) or its sequence")->required();
  AddTime(*get, "--since", args.events.since, "how far back to look for an id (default 24h)");
  get->add_option("--to-sequence", args.events.to_sequence, "look for the id before this sequence")
      ->type_name("N");
}

void AddTargets(CLI::App& app, Arguments& args) {
  CLI::App* noun = AddNoun(app, "target", "Targets: where events go");
  AddCommand(*noun, "ls", "List the targets", "spoolctl target ls", args, TargetLs);
  const auto add = [&](const char* verb, const char* what, const char* example,
                       int (*run)(Session&, const std::string&)) {
    AddCommand(*noun, verb, what, example, args,
               [&args, run](Session& s) { return run(s, args.name); })
        ->add_option("NAME", args.name, "the target")
        ->required();
  };
  add("info", "Show one target", "spoolctl target info kafka", TargetInfo);
  add("pause", "Stop delivering; nothing is lost", "spoolctl target pause kafka", TargetPause);
  add("resume", "Go on delivering", "spoolctl target resume kafka", TargetResume);
  CLI::App* skip = AddCommand(*noun, "skip", "Move ahead without delivering what lies between",
                              "spoolctl target skip kafka --to now-1h --yes", args,
                              [&args](Session& s) { return TargetSkip(s, args.name, args.to); });
  skip->add_option("NAME", args.name, "the target")->required();
  skip->add_option("--to", args.to, "the time or sequence to go on from")
      ->type_name("TIME|N")
      ->required()
      ->check(CheckTimeOrSequence, "");
  AddProbes(*noun, args);
}

void AddChoice(CLI::App& command, Arguments& args) {
  CLI::Option* ids = command.add_option("ID", args.choice.ids, "dead letters");
  CLI::Option* target = command.add_option("--target", args.choice.target, "of this target")
                            ->type_name("NAME")
                            ->excludes(ids);
  command.add_option("--reason", args.choice.reason, "only with this reason")
      ->type_name("REASON")
      ->needs(target);
  command.add_flag("--all", args.choice.all, "all of them")->needs(target);
}

Outcome<int> RunChoice(Session& session, const DeadLetterChoice& choice,
                       int (*run)(Session&, const DeadLetterChoice&)) {
  if (choice.ids.empty() && !(choice.all && !choice.target.empty())) {
    return End(kUsage, "which dead letters?", "name their ids, or say --target NAME --all");
  }
  return run(session, choice);
}

void AddDlq(CLI::App& app, Arguments& args) {
  CLI::App* noun = AddNoun(app, "dlq", "Dead letters: what a target will not take");
  CLI::App* ls = AddCommand(*noun, "ls", "List dead letters", "spoolctl dlq ls --target kafka",
                            args, [&args](Session& s) { return DlqLs(s, args.letters); });
  ls->add_option("--target", args.letters.target, "of this target")->type_name("NAME");
  ls->add_option("--after", args.letters.after, "those after this one")->type_name("ID");
  ls->add_option("--limit", args.letters.limit, "at most so many (default 100)")
      ->type_name("N")
      ->check(CLI::Range(uint64_t{1}, uint64_t{100000}), "");
  AddCommand(*noun, "get", "Show one dead letter and its event", "spoolctl dlq get kafka-4118871",
             args, [&args](Session& s) { return DlqGet(s, args.name); })
      ->add_option("ID", args.name, "the dead letter")
      ->required();
  AddChoice(*AddCommand(*noun, "retry", "Try to deliver dead letters again",
                        "spoolctl dlq retry --target kafka --reason too_large --all", args,
                        [&args](Session& s) { return RunChoice(s, args.choice, DlqRetry); }),
            args);
  AddChoice(*AddCommand(*noun, "drop", "Let go of dead letters for good",
                        "spoolctl dlq drop kafka-4118871 --yes", args,
                        [&args](Session& s) { return RunChoice(s, args.choice, DlqDrop); }),
            args);
  AddDlqExport(*noun, args);
}

void AddReplays(CLI::App& app, Arguments& args) {
  CLI::App* noun = AddNoun(app, "replay", "Replays: send past events once more");
  CLI::App* start =
      AddCommand(*noun, "start", "Send a range of past events to one target once more",
                 "spoolctl replay start --target splunk --from 2026-11-20T06:00:00Z --to "
                 "2026-11-20T09:00:00Z \\\n"
                 "      --match 'namespace=prod-*' --rate 2000/s --dry-run",
                 args, [&args](Session& s) -> Outcome<int> {
                   args.replay.rate = ParseRate(args.rate).value_or(0);
                   return ReplayStart(s, args.replay);
                 });
  start->add_option("--target", args.replay.target, "the target")->type_name("NAME")->required();
  start->add_option("--from", args.replay.from, "accepted from then on, or from this sequence on")
      ->type_name("TIME|N")
      ->required()
      ->check(CheckTimeOrSequence, "");
  start->add_option("--to", args.replay.to, "and before then (default: now)")
      ->type_name("TIME|N")
      ->check(CheckTimeOrSequence, "");
  start->add_option("--match", args.replay.match, "only events like this, repeatable")
      ->type_name("K=V")
      ->allow_extra_args(false)
      ->check(CheckMatch, "");
  start->add_option("--rate", args.rate, "at most so many events, e.g. 500/s")
      ->type_name("N/s")
      ->check(CheckRate, "");
  start->add_flag("--dry-run", args.replay.dry_run, "only say what would be sent");
  start->add_flag("--detach", args.replay.detach, "do not watch it");
  AddCommand(*noun, "ls", "List the replays", "spoolctl replay ls", args, ReplayLs);
  const auto add = [&](const char* verb, const char* what, const char* example,
                       int (*run)(Session&, const std::string&)) {
    AddCommand(*noun, verb, what, example, args,
               [&args, run](Session& s) { return run(s, args.name); })
        ->add_option("ID", args.name, "the replay")
        ->required();
  };
  add("info", "Show one replay", "spoolctl replay info r-7f3k2a", ReplayInfo);
  add("watch", "Wait for its end; Ctrl-C detaches, the replay goes on",
      "spoolctl replay watch r-7f3k2a", ReplayWatch);
  add("pause", "Stop sending for now", "spoolctl replay pause r-7f3k2a", ReplayPause);
  add("resume", "Go on sending", "spoolctl replay resume r-7f3k2a", ReplayResume);
  add("cancel", "End it for good", "spoolctl replay cancel r-7f3k2a --yes", ReplayCancel);
}

void AddOffline(CLI::App& app, Arguments& args) {
  CLI::App* offline = AddNoun(app, "offline", "The data directory of a spoold that does not run");
  const auto add = [&](const char* name, const char* what, std::function<int(Printer&)> run) {
    CLI::App* command = offline->add_subcommand(name, what);
    command->add_option("--data-dir", args.name, "the data directory")->required();
    command->footer("Example:\n  spoolctl offline " + std::string(name) +
                    " --data-dir /var/lib/spool");
    command->callback([&args, run = std::move(run)] { args.run_local = run; });
    return command;
  };
  add("inspect", "What is in it",
      [&args](Printer& out) { return OfflineInspect(out, args.name, false); });
  add("verify", "Read and check every event",
      [&args](Printer& out) { return OfflineInspect(out, args.name, true); });
  add("repair", "Say what is damaged, and give it up when told to", [&args](Printer& out) {
    return OfflineRepair(out, args.name, args.accept_loss);
  })->add_flag("--accept-loss", args.accept_loss, "give up what is damaged, leave markers");
}

void AddRest(CLI::App& app, Arguments& args) {
  CLI::App* source = AddNoun(app, "source", "Sources: where events come from");
  AddCommand(*source, "ls", "List the sources", "spoolctl source ls", args, SourceLs);
  AddCommand(*source, "info", "Show one source", "spoolctl source info web", args,
             [&args](Session& s) { return SourceInfo(s, args.name); })
      ->add_option("NAME", args.name, "the source")
      ->required();
  AddCommand(*source, "gaps", "When sources took nothing, and events that were lost",
             "spoolctl source gaps web -o wide", args,
             [&args](Session& s) { return SourceGaps(s, args.name); })
      ->add_option("NAME", args.name, "the source (default: all)");
  CLI::App* config = AddNoun(app, "config", "Configuration");
  AddConfigCommands(
      *config, args.config, [&args](auto run) { args.run = std::move(run); },
      [&args](auto run) { args.run_local = std::move(run); });
  CLI::App* node = AddNoun(app, "node", "This spoold as a whole");
  AddDrain(*node, args);
  AddCommand(*node, "snapshot", "Copy the journal as of now, to restore it elsewhere",
             "spoolctl node snapshot /var/lib/spool/snapshots/monday", args,
             [&args](Session& s) { return NodeSnapshot(s, args.name); })
      ->add_option("DIR", args.name, "an absolute path on the server, which must not exist")
      ->required();
  AddOffline(app, args);
  AddCommand(app, "version", "The versions of spoolctl and of spoold", "spoolctl version -o json",
             args, [&args](Session& s) { return Version(s, args.client_only); })
      ->add_flag("--client", args.client_only, "only of spoolctl");
}

// Words that are no command and flags that are none, before CLI11 sees them: it would only say
// that something was not expected.
std::optional<Failure> FindSlip(CLI::App& app, int argc, char** argv) {
  CLI::App* at = &app;
  std::string path = "spoolctl";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--") break;
    if (word.size() > 1 && word[0] == '-') {
      const std::string flag = word.substr(0, word.find('='));
      const bool is_short = flag[1] != '-';
      const std::string name = is_short ? flag.substr(0, 2) : flag;
      const CLI::Option* option = nullptr;
      for (CLI::App* a = at; a != nullptr && option == nullptr; a = a->get_parent()) {
        option = a->get_option_no_throw(name);
      }
      if (option == nullptr) {
        std::vector<std::string> known;
        for (CLI::App* a = at; a != nullptr; a = a->get_parent()) {
          for (const CLI::Option* o : a->get_options()) {
            for (const std::string& l : o->get_lnames()) known.push_back("--" + l);
          }
        }
        const std::string meant = Closest(name, known);
        return Failure{kUsage, "'" + path + "' has no flag " + Visible(flag),
                       meant.empty() ? "see '" + path + " --help'" : "did you mean " + meant + "?"};
      }
      const bool attached = word.find('=') != word.npos || (is_short && word.size() > 2);
      if (option->get_items_expected_max() > 0 && !attached) ++i;
      continue;
    }
    const auto commands = at->get_subcommands([](CLI::App*) { return true; });
    if (commands.empty()) continue;
    const auto next = std::find_if(commands.begin(), commands.end(),
                                   [&](const CLI::App* c) { return c->get_name() == word; });
    if (next != commands.end()) {
      at = *next;
      path += " " + word;
      continue;
    }
    std::vector<std::string> known;
    std::string all;
    for (const CLI::App* command : commands) {
      known.push_back(command->get_name());
      all += (all.empty() ? "" : ", ") + command->get_name();
    }
    const std::string meant = Closest(word, known);
    return Failure{kUsage, "'" + path + "' has no command '" + Visible(word) + "'",
                   meant.empty() ? "it has " + all : "did you mean '" + path + " " + meant + "'?"};
  }
  return std::nullopt;
}

std::string Env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Outcome<int> RunChosen(Arguments& args, Printer& out, Interrupt& interrupt) {
  if (args.run_local) return args.run_local(out);
  const Outcome<Context> context =
      Resolve({args.server, args.context, Env("SPOOLCTL_SERVER"), Env("SPOOLCTL_CONTEXT")});
  if (!context) return tl::unexpected<Failure>(context.error());
  const auto either = [](const std::string& first, const std::string& second) {
    return first.empty() ? second : first;
  };
  ClientOptions options;
  options.token_file = either(args.token_file, context->token_file);
  options.ca_file = either(args.ca_file, context->ca_file);
  options.cert_file = either(args.cert_file, context->cert_file);
  options.key_file = either(args.key_file, context->key_file);
  options.timeout = std::chrono::duration_cast<Millis>(*ParseDuration(args.timeout));
  const Outcome<std::vector<Replica>> replicas =
      MakeReplicas(context->servers, options, interrupt.token());
  if (!replicas) return tl::unexpected<Failure>(replicas.error());
  Session session{*replicas->front().client, out, interrupt, args.yes, &*replicas};
  if (replicas->size() == 1 || args.whole) return args.run(session);
  return RunOnEach(session, args.run);
}

// CLI11's own words, but for what they say badly.
Failure SlipOf(const CLI::App& app, const CLI::ParseError& error) {
  const std::string text = error.what();
  const size_t twice = text.find(": At Most 1 required but received");
  if (twice == text.npos) {
    std::string path = "spoolctl";  // as far as it was understood
    for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
      at = at->get_subcommands().front();
      path += " " + at->get_name();
    }
    return {kUsage, Visible(text), "see '" + path + " --help'"};
  }
  const std::string flag = text.substr(0, twice);
  return {kUsage, Visible(flag) + " is there more than once",
          flag == "--server" ? "several servers are one list, separated by commas" : ""};
}

// Nagios reads 2 as critical: a wrong command line of ours must not wake anybody.
bool IsCheck(const CLI::App& app, int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.size() < 2 || word[0] != '-') return word == "check";
    const CLI::Option* option = app.get_option_no_throw(word);  // null with its value attached
    if (option != nullptr && option->get_items_expected_max() > 0) ++i;
  }
  return false;
}

int Usage(const Failure& failure, bool check) {
  Printer out({});
  if (check) {
    out.Line("SPOOL UNKNOWN - " + failure.message);
    return out.Finish() ? kCheckUnknown : kFailed;
  }
  out.Fail(failure);
  return failure.exit;
}

}  // namespace

CLI::App* AddCommand(CLI::App& noun, const char* name, const char* what, const char* example,
                     Chosen& chosen, std::function<Outcome<int>(Session&)> run, bool whole) {
  CLI::App* command = noun.add_subcommand(name, what);
  command->footer(std::string("Example:\n  ") + example +
                  "\n\nFlags that every command takes: spoolctl --help");
  command->callback([&chosen, run = std::move(run), whole] {
    chosen.run = run;
    chosen.whole = whole;
  });
  return command;
}

CLI::App* AddNoun(CLI::App& app, const char* name, const char* what) {
  CLI::App* noun = app.add_subcommand(name, what);
  noun->footer(std::string("More about one of them: spoolctl ") + name + " COMMAND --help");
  return noun;
}

int RunCtl(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a write says so, and the printer ends the process
  Interrupt interrupt;
  Arguments args;
  CLI::App app("Looks inside spoold: what is stored, where it goes, and what to send again.",
               "spoolctl");
  app.fallthrough();
  app.set_version_flag("--version", "spoolctl " SPOOL_VERSION);
  app.footer(
      "Examples:\n"
      "  spoolctl status\n"
      "  spoolctl events tail --severity '>=warning'\n"
      "  spoolctl replay start --target splunk --from now-3h --dry-run\n\n"
      "Exit: 0 done, 1 failed, 2 usage, 4 not found, 5 refused without --yes, 6 unreachable,\n"
      "      7 partly done, 78 invalid configuration, 130 interrupted");
  AddGlobals(app, args);
  AddCommand(app, "status", "One screen: health, journal, streams, targets, what needs hands",
             "spoolctl status", args, Status);
  AddStreams(app, args);
  AddEvents(app, args);
  AddTargets(app, args);
  AddDlq(app, args);
  AddReplays(app, args);
  AddTop(app, args);
  AddCheck(app, args);
  AddExplain(app, args);
  AddContexts(app, args, args);
  AddRest(app, args);
  AddManual(app, args);

  if (argc > 1 && std::string_view(argv[1]) == "__complete") {  // from a shell's script
    Printer out({});
    out.Raw(Complete(app, std::vector<std::string>(argv + 2, argv + argc), interrupt));
    return out.Finish() ? kDone : kFailed;
  }
  const bool check = IsCheck(app, argc, argv);
  if (const auto slip = FindSlip(app, argc, argv)) return Usage(*slip, check);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {  // --help, --version
    return app.exit(help) == 0 && Printer({}).Finish() ? kDone : kFailed;
  } catch (const CLI::ParseError& error) {
    return Usage(SlipOf(app, error), check);
  }
  if (!args.run && !args.run_local) {
    const auto chosen = app.get_subcommands();
    const CLI::App* noun = chosen.empty() ? &app : chosen.front();
    std::fputs(noun->help(noun == &app ? "" : "spoolctl").c_str(), stderr);
    return kUsage;
  }

  PrinterOptions options;
  if (!args.output.empty()) options.format = ParseFormat(args.output);
  options.headers = !args.no_headers;
  options.colour = !args.no_color;
  Printer out(options);
  const Outcome<int> status = RunChosen(args, out, interrupt);
  if (!status && check) return Usage(status.error(), true);
  if (!status) out.Fail(status.error());
  const int exit = status ? *status : status.error().exit;
  return out.Finish() ? exit : kFailed;
}

}  // namespace spool::ctl
