// The daemon: command line, signals, exit statuses. Everything else is Service.
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <optional>
#include <semaphore>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "app/config_environment.h"
#include "app/config_text.h"
#include "app/descriptors.h"
#include "app/man_page.h"
#include "app/memory_relief.h"
#include "app/publish.h"
#include "app/service.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/time_text.h"
#include "spool/directory.h"
#include "spool/table_probe.h"

namespace spool {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitStorage = 74;
constexpr int kExitConfig = 78;

constexpr std::chrono::seconds kStopTime{20};
constexpr std::chrono::seconds kStopGrace{5};  // then the process ends whatever still hangs
constexpr Millis kFatalStopTime{300};          // after a storage error
constexpr Millis kFatalExitTime{800};

struct Options {
  std::string config;
  ConfigOverrides overrides;
  std::optional<PublishOptions> publish;  // instead of serving
};

// One sentence, its code (docs/errors), and what to do next.
void Say(std::string_view line, std::string_view code, std::string_view next = {}) {
  std::fprintf(stderr, "spoold: %.*s [%.*s]\n", int(line.size()), line.data(), int(code.size()),
               code.data());
  if (!next.empty()) std::fprintf(stderr, "  %.*s\n", int(next.size()), next.data());
}

// Core dumps and debuggers would show events, which may hold what nobody else should see.
void HideMemory() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
  umask(077);
}

// An arena a thread and large blocks inside of them keep far more than is in use: 236 MiB under
// full load without this, 140 with it. Before any thread starts.
void KeepMemoryTogether() {
  mallopt(M_ARENA_MAX, 2);
  // Large bodies and chunks go back to the system when they are freed. What is smaller is needed
  // again at once: giving it back for each request took a tenth of the processor's time.
  mallopt(M_MMAP_THRESHOLD, 512 << 10);
  mallopt(M_TRIM_THRESHOLD, 16 << 20);
}

// What an invariant says that does not hold stands above this. A handler: it calls little.
void ExplainAbort(int number) {
  constexpr char kText[] =
      "spoold: ended by a check that failed; what was acknowledged is on disk. If each start ends "
      "so, "
      "`spoolctl offline verify --data-dir DIR` says what is damaged.\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText, sizeof(kText) - 1);
  signal(number, SIG_DFL);
  raise(number);
}

void DieWithoutMemory() {
  constexpr char kText[] = "spoold: out of memory\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText, sizeof(kText) - 1);
  abort();
}

// Every thread that is started later inherits the mask; main takes the signals with sigwait.
sigset_t BlockSignals() {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is a failed write like any other
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGRTMIN, SIGRTMIN + 1})
    sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return set;
}

// Ends the process once it was armed and the time has passed, whatever any other thread does.
class Watchdog {
 public:
  void Arm(int status, Millis within) {
    status_ = status;
    within_ = within;
    armed_.release();
  }
  void Start() {
    std::thread([this] {
      pthread_setname_np(pthread_self(), "watchdog");
      armed_.acquire();
      const Millis within = within_;
      if (!defused_.try_acquire_for(within)) _exit(status_);
    }).detach();
  }

 private:
  std::atomic<int> status_{0};
  std::atomic<Millis> within_{Millis(0)};
  std::binary_semaphore armed_{0};
  std::binary_semaphore defused_{0};  // never released: the process ends first
};

// Static, since their threads run until the process ends.
Watchdog& FatalWatchdog() {
  static auto* const watchdog = new Watchdog;
  return *watchdog;
}
Watchdog& StopWatchdog() {
  static auto* const watchdog = new Watchdog;
  return *watchdog;
}

ManText Manual() {
  ManText text;
  text.name = "spoold";
  text.section = 8;
  text.summary = "take Kubernetes events in durably, pass them on, and send them again";
  text.synopsis = "[--config FILE|DIR] [--data-dir DIR] [--ingest ADDR] [--admin ADDR]";
  text.sections = {
      {"CONFIGURATION",
       "Without --config spoold listens on 127.0.0.1:8080 for events and on 127.0.0.1:8081 for "
       "spoolctl, keeps its data in ./spool-data and prints what it delivers. --print-config-docs "
       "prints what a configuration can say."},
      {"\"EXIT STATUS\"",
       "0\tstopped as a signal asked\n1\tfailed\n2\twrong usage\n74\tthe storage failed\n"
       "78\tthe configuration is not valid"},
      {"SIGNALS",
       "SIGTERM, SIGINT\tstop; a second one ends the process at once. What was "
       "acknowledged is on disk in either case."}};
  text.see_also = {"spoolctl(1)"};
  return text;
}

// What helps after a command line that cannot be meant: the flag that was probably wanted.
std::string NextAfter(const CLI::App& app, const CLI::App& publish, int argc, char** argv) {
  std::vector<std::string> names;
  for (const CLI::App* command : {&app, &publish}) {
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  for (int i = 1; i < argc; ++i) {
    std::string_view word = argv[i];
    word = word.substr(0, word.find('='));
    if (!word.starts_with("--") || std::find(known.begin(), known.end(), word) != known.end())
      continue;
    if (const std::string_view meant = Nearest(word, known); !meant.empty()) {
      return "did you mean " + std::string(meant) + "?";
    }
  }
  return "see 'spoold --help'";
}

// `publish`, and what it takes.
struct PublishFlags {
  CLI::App* command = nullptr;
  PublishOptions options;
  std::string timeout = "5m";
};

void AddPublish(CLI::App& app, Options* options, PublishFlags* flags) {
  flags->command = app.add_subcommand(
      "publish", "Deliver to one target what it has not had, and end (for a CronJob)");
  CLI::App& publish = *flags->command;
  publish.add_option("--target", flags->options.target, "The target to deliver to")
      ->type_name("NAME")
      ->required();
  publish.add_option("--timeout", flags->timeout, "How long it may take (default 5m; 0: no end)")
      ->type_name("DURATION")
      ->check(
          [](const std::string& text) {
            const Result<Micros> duration = ParseDuration(text == "0" ? "0s" : text);
            return duration ? std::string() : duration.error().message;
          },
          "");
  publish.add_option("--source", flags->options.source, "A bus to take events from first")
      ->type_name("nats|kafka")
      ->check(CLI::IsMember({"nats", "kafka"}), "");
  publish
      .add_option("--config", options->config, "The configuration that spoold has, and its targets")
      ->type_name("FILE|DIR");
  publish.add_option("--data-dir", options->overrides.data_dir, "Where the journal is")
      ->type_name("DIR");
  publish.footer(
      "Exit: 0 the target has had everything, 7 not all of it (the next run goes on),\n"
      "      1 failed (the data directory is in use, or damaged), 2 usage, 4 no such target or\n"
      "      journal, 74 the volume refuses, 78 invalid configuration");
}

// 0 to go on, otherwise the exit status plus one.
int ReadCommandLine(int argc, char** argv, Options* options) {
  CLI::App app("Takes Kubernetes events in durably, passes them on, and sends them again.",
               "spoold");
  bool docs = false;
  bool schema = false;
  bool man = false;
  app.add_option("--config", options->config, "Configuration: a YAML file, or a directory of them")
      ->type_name("FILE|DIR");
  app.add_option("--data-dir", options->overrides.data_dir, "Where the journal is")
      ->type_name("DIR");
  app.add_option("--ingest", options->overrides.ingest, "Address of the first http source")
      ->type_name("ADDR");
  app.add_option("--admin", options->overrides.admin, "Address of the admin listener")
      ->type_name("ADDR");
  app.add_flag("--print-config-docs", docs, "Print the reference of the configuration");
  app.add_flag("--print-config-schema", schema, "Print the JSON Schema of the configuration");
  app.add_flag("--print-man", man, "Print the manual page");
  app.set_version_flag("--version", std::string("spoold " SPOOL_VERSION));
  PublishFlags publish;
  AddPublish(app, options, &publish);
  std::vector<std::string> words(argv + 1, argv + argc);
  const std::string_view called = argv[0] == nullptr ? "" : argv[0];
  if (called.substr(called.rfind('/') + 1) == "publish") words.insert(words.begin(), "publish");
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  try {
    app.parse(std::move(words));
  } catch (const CLI::Success& e) {
    return 1 + app.exit(e);
  } catch (const CLI::ParseError& e) {
    Say(e.what(), "usage", NextAfter(app, *publish.command, argc, argv));
    return 1 + kExitUsage;
  }
  for (const char* flag : {"--config", "--data-dir", "--ingest", "--admin"}) {
    if (app.count(flag) > 0 && app.get_option(flag)->as<std::string>().empty()) {
      Say(std::string(flag) + " takes a value that is not empty", "usage");
      return 1 + kExitUsage;
    }
  }
  if (publish.command->parsed()) {
    publish.options.timeout =
        publish.timeout == "0" ? Micros::zero() : *ParseDuration(publish.timeout);
    options->publish = std::move(publish.options);
    if (app.count("--ingest") + app.count("--admin") > 0) {
      Say("publish listens nowhere", "usage", "leave --ingest and --admin out");
      return 1 + kExitUsage;
    }
    return 0;
  }
  if (!docs && !schema && !man) return 0;
  const std::string text = man ? ManPage(app, Manual()) : docs ? ConfigDocs() : ConfigSchema();
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  return 1 + (written ? 0 : kExitFailed);
}

ConfigResult ReadFiles(const Options& options) {
  if (!options.config.empty()) return LoadConfig(options.config);
  return EnvironmentConfig([](const char* name) -> const char* { return std::getenv(name); });
}

// 0 and the configuration, or the exit status.
int ReadConfig(const Options& options, Config* config) {
  ConfigResult result = ReadFiles(options);
  for (const auto* problems : {&result.warnings, &result.problems}) {
    for (const ConfigProblem& problem : *problems)
      std::fputs(FormatProblem(problem).c_str(), stderr);
  }
  const std::string source = options.publish ? RefuseSource(options.publish->source) : "";
  if (!source.empty()) {
    Say(source, "source_not_available", "leave --source out to send what spoold has taken in");
  }
  if (!result.config || !source.empty()) return kExitConfig;
  *config = std::move(*result.config);
  if (const Status applied = ApplyOverrides(options.overrides, config); !applied) {
    Say(applied.error().message, "usage", "see 'spoold --help'");
    return kExitUsage;
  }
  return 0;
}

// What publish opens is the journal and its one target.
Status FitForPublish(const PublishOptions& options, Config* config) {
  Config part;
  part.journal = config->journal;
  for (const TargetConfig& target : config->targets) {
    if (target.settings.name == options.target) part.targets.push_back(target);
  }
  if (const Status fits = FitDescriptors(RaiseDescriptorLimit(), &part); !fits) return fits;
  config->journal = std::move(part.journal);
  return {};
}

// As at the start.
ConfigResult LoadAgain(const Options& options) {
  ConfigResult result = ReadFiles(options);
  if (!result.config) return result;
  if (const Status applied = ApplyOverrides(options.overrides, &*result.config); !applied) {
    ConfigProblem problem;
    problem.file = "command line";
    problem.message = applied.error().message;
    result.problems.push_back(std::move(problem));
    result.config.reset();
    return result;
  }
  if (const Status fits = FitDescriptors(RaiseDescriptorLimit(), &*result.config); !fits) {
    ConfigProblem problem;
    problem.message = fits.error().message;
    result.problems.push_back(std::move(problem));
    result.config.reset();
  }
  return result;
}

int ExplainFailure(const Config& config, const Error& error) {
  switch (error.code) {
    case Code::kConflict:
      if (IsDirectoryInUse(error)) {
        Say("cannot start: " + error.message, "data_dir_in_use",
            "a spoold that runs there delivers by itself; stop it, or name another --data-dir");
      } else {
        Say("cannot start: " + error.message, "address_in_use",
            "stop what listens there, or name other addresses with --ingest and --admin");
      }
      return kExitFailed;
    case Code::kStorage:
      log::Error("The journal cannot be stored to.",
                 {{"code", "storage"}, {"data_dir", config.data_dir}, {"error", error.message}});
      return kExitStorage;
    case Code::kInvalid:
      Say("cannot start with this configuration: " + error.message, "invalid_config");
      return kExitConfig;
    default: Say("cannot start: " + error.message, CodeName(error.code)); return kExitFailed;
  }
}

int NextSignal(const sigset_t& set) {
  int number = 0;
  while (sigwait(&set, &number) != 0) {
  }
  return number;
}

// Who asks twice does not want to wait: what is durable stays so.
void EndAtSecondSignal(const sigset_t& set) {
  std::thread([set] {
    pthread_setname_np(pthread_self(), "signals");
    for (;;) {
      const int number = NextSignal(set);
      if (number != SIGTERM && number != SIGINT) continue;
      log::Warn("A second signal ends the process at once; what was acknowledged is on disk.",
                {{"signal", number}});
      _exit(128 + number);
    }
  }).detach();
}

// Reads the configuration again when it was asked to, on a thread of its own: a target that hangs
// holds up the reload, and must not hold up a stop.
class Reloader {
 public:
  explicit Reloader(Service& service)
      : thread_(StartThread("reload", [this, &service](std::stop_token stop) {
          std::unique_lock lock(mutex_);
          while (asked_.wait(lock, stop, [this] { return pending_; })) {
            pending_ = false;
            lock.unlock();
            static_cast<void>(service.Reload());  // it logs what came of it
            lock.lock();
          }
        })) {}
  // What was asked for while one runs is done once more after it.
  void Ask() {
    const std::lock_guard lock(mutex_);
    pending_ = true;
    asked_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any asked_;
  bool pending_ = false;  // guarded by mutex_
  std::jthread thread_;
};

int Serve(Service& service, const sigset_t& set) {
  Reloader reloader(service);
  for (;;) {
    const int number = NextSignal(set);
    const SteadyTime now = RealClock().Steady();
    if (number == SIGRTMIN) {  // a storage error
      service.Stop(now + kFatalStopTime);
      return kExitStorage;
    }
    if (number == SIGHUP) {
      reloader.Ask();
      continue;
    }
    if (number == SIGRTMIN + 1) {
      log::Info("Stopping, since every source has ended.", {{"within_seconds", kStopTime.count()}});
    } else {
      log::Info("Stopping as a signal asked.",
                {{"signal", number}, {"within_seconds", kStopTime.count()}});
    }
    StopWatchdog().Arm(kExitFailed, kStopTime + kStopGrace);
    EndAtSecondSignal(set);
    service.Stop(now + kStopTime);
    log::Info("Stopped; everything that was acknowledged is on disk.");
    return 0;
  }
}

int TellDamage(const Config& config, const Error& damage) {
  log::Error(
      "The journal is damaged and was left as it is; nothing was sent. `spoolctl offline verify` "
      "says what is damaged, and `spoolctl offline repair` how to go on without it.",
      {{"code", "damaged"}, {"data_dir", config.data_dir}, {"error", damage.message}});
  return kExitFailed;
}

int RunPublish(const Config& config, const PublishOptions& options) {
  const sigset_t set = BlockSignals();
  FatalWatchdog().Start();
  std::stop_source stop;
  std::thread([set, stop]() mutable {
    pthread_setname_np(pthread_self(), "signals");
    int number = NextSignal(set);
    while (number != SIGTERM && number != SIGINT) number = NextSignal(set);
    log::Info("Stopping as a signal asked.", {{"signal", number}});
    EndAtSecondSignal(set);
    stop.request_stop();
  }).detach();
  const Result<int> status = Publish(
      config, options,
      [](const Error& error) {
        log::Error(
            "Storing failed; the process ends, and the next run goes on from what is on disk.",
            {{"error", error.message}});
        FatalWatchdog().Arm(kExitStorage, kFatalExitTime);
      },
      stop.get_token());
  if (status) return *status;
  if (status.error().code == Code::kDamaged) return TellDamage(config, status.error());
  return ExplainFailure(config, status.error());
}

int Run(const Options& options) {
  Config config;
  if (const int status = ReadConfig(options, &config); status != 0) return status;
  log::Configure(config.log_level, config.log_format);
  const Status fits = options.publish ? FitForPublish(*options.publish, &config)
                                      : FitDescriptors(RaiseDescriptorLimit(), &config);
  if (!fits) return ExplainFailure(config, fits.error());
  // While there is no other thread.
  const Status sound = LookBeforeOpening(config.data_dir);
  if (options.publish)
    return sound ? RunPublish(config, *options.publish) : TellDamage(config, sound.error());
  const sigset_t set = BlockSignals();
  FatalWatchdog().Start();
  StopWatchdog().Start();
  const MemoryRelief relief;
  const pthread_t main_thread = pthread_self();
  Result<std::unique_ptr<Service>> service = tl::unexpected(sound ? Error() : sound.error());
  if (sound) {
    service = Service::Start(
        config,
        [main_thread](const Error&) {
          FatalWatchdog().Arm(kExitStorage, kFatalExitTime);
          pthread_kill(main_thread, SIGRTMIN);
        },
        [options] { return LoadAgain(options); },
        [main_thread] { pthread_kill(main_thread, SIGRTMIN + 1); });
  }
  if (!service && service.error().code == Code::kDamaged) {
    log::Error(
        "The journal is damaged and was left as it is; nothing is taken in or passed on. Stop "
        "spoold and copy the data directory away; `spoolctl offline verify` says what is damaged, "
        "and `spoolctl offline repair` how to go on without it. Or restore a snapshot.",
        {{"code", "damaged"}, {"data_dir", config.data_dir}, {"error", service.error().message}});
    service = Service::ServeDamage(config, Error(service.error()));
  }
  if (!service) return ExplainFailure(config, service.error());
  std::string ingest;
  for (const std::string& address : (*service)->ingest_addresses()) {
    ingest += (ingest.empty() ? "" : ",") + address;
  }
  log::Info("spoold is up.", {{"version", SPOOL_VERSION},
                              {"ingest", ingest},
                              {"admin", (*service)->admin_address()},
                              {"data_dir", config.data_dir},
                              {"targets", config.targets.size()}});
  const int status = Serve(**service, set);
  if (status == kExitStorage) _exit(status);  // destructors have nothing good to do any more
  return status;
}

}  // namespace
}  // namespace spool

int main(int argc, char** argv) {
  std::set_new_handler(spool::DieWithoutMemory);
  signal(SIGABRT, spool::ExplainAbort);
  spool::HideMemory();
  spool::KeepMemoryTogether();
  spool::Options options;
  if (const int done = spool::ReadCommandLine(argc, argv, &options); done != 0) return done - 1;
  return spool::Run(options);
}
