#include <CLI/CLI.hpp>

#include "app/ctl/command_line.h"
#include "app/ctl/completion.h"
#include "app/ctl/text.h"
#include "app/man_page.h"

namespace spool::ctl {
namespace {

ManText Text() {
  ManText text;
  text.name = "spoolctl";
  text.section = 1;
  text.summary = "look inside spoold, and tell it what to send again";
  text.synopsis = "[FLAG...] COMMAND [ARGUMENT...]";
  text.sections = {
      {"TIMES",
       "A time is 10m or 2d (that long ago), now, now-3h, 2026-11-20 or 2026-11-20T06:11:14Z. A "
       "range "
       "holds its beginning and not its end."},
      {"\"SEVERAL REPLICAS\"",
       "With several servers, named by --server or by a context, every command goes to each of "
       "them. "
       "Lists are shown as one with a column REPLICA (in JSON and YAML a member replica). When one "
       "does not answer, the command says which and ends with 7."},
      {"\"EXIT STATUS\"",
       "0\tdone\n1\tfailed\n2\twrong usage; nothing was changed\n4\tthere is no such thing\n"
       "5\trefused: it needs --yes\n6\tspoold cannot be reached, or did not answer in time\n"
       "7\tpartly done\n78\tthe configuration is not valid\n130\tinterrupted\n"
       "The command check has Nagios' own: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN."},
      {"ENVIRONMENT",
       "SPOOLCTL_SERVER\tas --server\nSPOOLCTL_CONTEXT\tas --context\n"
       "SPOOLCTL_TOKEN_FILE\tas --token-file\nSPOOLCTL_CA_FILE\tas --ca\n"
       "SPOOLCTL_CERT_FILE, SPOOLCTL_KEY_FILE\tas --cert and --key\n"
       "SPOOLCTL_CONTEXTS\tthe file of contexts\nNO_COLOR\tno colours, when it is not empty"},
      {"FILES",
       "$XDG_CONFIG_HOME/spoolctl/contexts.yaml\tthe contexts; below ~/.config when the variable "
       "is "
       "not set"},
      {"EXAMPLES",
       "  spoolctl status\n  spoolctl events tail --severity '>=warning'\n"
       "  spoolctl explain 4118871\n"
       "  spoolctl replay start --target splunk --from now-3h --dry-run\n"
       "  source <(spoolctl completion bash)"}};
  text.see_also = {"spoold(8)"};
  return text;
}

}  // namespace

void AddManual(CLI::App& app, Chosen& chosen) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* completion =
      AddCommand(app, "completion", "The script that completes commands, flags and names",
                 "spoolctl completion bash > spoolctl.bash", chosen, nullptr);
  completion->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}), "");
  completion->callback([&chosen, shell] {
    chosen.run_local = [shell](Printer& out) {
      out.Raw(CompletionScript(*shell));
      return kDone;
    };
  });
  CLI::App* man = app.add_subcommand("man", "The manual page, as roff");
  man->group("");  // for packages; people have man(1)
  man->callback([&app, &chosen] {
    chosen.run_local = [&app](Printer& out) {
      out.Raw(ManPage(app, Text()));
      return kDone;
    };
  });
}

}  // namespace spool::ctl
