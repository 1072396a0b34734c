#include "app/ctl/config_cli.h"

#include <CLI/CLI.hpp>
#include <cstdint>

#include "app/ctl/commands.h"

namespace spool::ctl {

void AddConfigCommands(CLI::App& config, ConfigArguments& args,
                       const std::function<void(std::function<Outcome<int>(Session&)>)>& remote,
                       const std::function<void(std::function<int(Printer&)>)>& local) {
  const auto add = [&](const char* name, const char* what, const char* example) {
    CLI::App* command = config.add_subcommand(name, what);
    command->footer(std::string("Example:\n  ") + example +
                    "\n\nFlags that every command takes: spoolctl --help");
    return command;
  };
  CLI::App* validate = add("validate", "Check files without a running spoold",
                           "spoolctl config validate /etc/spool/spool.yaml");
  validate->add_option("FILE|DIR", args.paths, "configuration files or directories")->required();
  validate->callback(
      [&args, local] { local([&args](Printer& out) { return ConfigValidate(out, args.paths); }); });

  CLI::App* test = add("test", "Run the tests that are in a configuration",
                       "spoolctl config test /etc/spool/spool.yaml --history 10000");
  test->add_option("FILE|DIR", args.path, "the configuration")->required();
  test->add_option("--history", args.history,
                   "also say what would change for the last N events that spoold has stored")
      ->type_name("N")
      ->check(CLI::Range(uint64_t{1}, uint64_t{100000}), "");
  test->callback([&args, remote, local] {
    if (args.history > 0) {
      return remote([&args](Session& session) {
        return ConfigTestHistory(session, args.path, args.history);
      });
    }
    local([&args](Printer& out) { return ConfigTestFile(out, args.path); });
  });

  CLI::App* show =
      add("show", "Everything that is configured, defaults included: of spoold, or of a file",
          "spoolctl config show -o json");
  show->add_option("FILE|DIR", args.path, "a configuration instead of the running one");
  show->callback([&args, remote, local] {
    if (args.path.empty()) return remote([](Session& session) { return ConfigShow(session); });
    local([&args](Printer& out) { return ConfigShowFile(out, args.path); });
  });

  CLI::App* diff = add("diff", "What would change if spoold read this file",
                       "spoolctl config diff /etc/spool/spool.yaml");
  diff->add_option("FILE|DIR", args.path, "the configuration to compare")->required();
  diff->callback([&args, remote] {
    remote([&args](Session& session) { return ConfigDiff(session, args.path); });
  });

  CLI::App* reload = add("reload", "Have spoold read its configuration again, all of it or nothing",
                         "spoolctl config reload");
  reload->callback([remote] { remote([](Session& session) { return ConfigReload(session); }); });

  CLI::App* import = config.add_subcommand("import", "Make a configuration from another program's");
  import->footer("More about one of them: spoolctl config import PROGRAM --help");
  import->require_subcommand(1);
  CLI::App* exporter = import->add_subcommand(
      "kubernetes-event-exporter", "From its configuration, or the ConfigMap that holds it");
  exporter->footer(
      "Example:\n  spoolctl config import kubernetes-event-exporter exporter.yaml > spool.yaml");
  exporter->add_option("FILE", args.path, "its file or manifest")->required();
  exporter->callback(
      [&args, local] { local([&args](Printer& out) { return ConfigImport(out, args.path); }); });

  CLI::App* schema =
      add("schema", "The JSON Schema of the configuration, for editors", "spoolctl config schema");
  schema->callback([local] { local([](Printer& out) { return ConfigSchemaText(out); }); });
}

}  // namespace spool::ctl
