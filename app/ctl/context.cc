#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "app/ctl/command_line.h"
#include "app/ctl/contexts.h"
#include "app/ctl/text.h"

namespace spool::ctl {
namespace {

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

Json AsJson(const ContextFile& file, const Context& context) {
  std::string servers;
  for (const std::string& server : context.servers) {
    servers += (servers.empty() ? "" : ",") + JsonString(server);
  }
  JsonObject object;
  object.Add("name", context.name)
      .AddRaw("current", context.name == file.current ? "true" : "false")
      .AddRaw("servers", "[" + servers + "]");
  const std::pair<const char*, const std::string*> files[] = {{"token_file", &context.token_file},
                                                              {"ca_file", &context.ca_file},
                                                              {"cert_file", &context.cert_file},
                                                              {"key_file", &context.key_file}};
  for (const auto& [key, value] : files) {
    object.AddRaw(key, value->empty() ? "null" : JsonString(*value));
  }
  return *Json::Parse(object.text());
}

Table ContextTable(std::span<const Json> contexts, bool wide) {
  std::vector<Column> columns = {{"CURRENT"}, {"CONTEXT", false, 8}, {"SERVERS", false, 20}};
  if (wide) columns.insert(columns.end(), {{"TOKEN-FILE"}, {"CA-FILE"}, {"CERT-FILE"}});
  Table table(columns);
  for (const Json& context : contexts) {
    std::vector<std::string> servers;
    for (const Json& server : context["servers"].items()) servers.push_back(server.Text());
    std::vector<Cell> row = {context["current"].Flag() ? "*" : " ", context["name"].Text(),
                             Joined(servers)};
    if (wide) {
      row.emplace_back(context["token_file"].Text());
      row.emplace_back(context["ca_file"].Text());
      row.emplace_back(context["cert_file"].Text());
    }
    table.Add(std::move(row));
  }
  return table;
}

const View kView{"context", "contexts", "name", ContextTable};

int Fail(Printer& out, const Failure& failure) {
  out.Fail(failure);
  return failure.exit;
}

int ContextLs(Printer& out) {
  const Outcome<ContextFile> file = ReadContexts();
  if (!file) return Fail(out, file.error());
  std::vector<Json> items;
  for (const Context& context : file->contexts) items.push_back(AsJson(*file, context));
  out.List(items, kView);
  if (items.empty() && out.human()) {
    out.Note("  make one with: spoolctl context add NAME --server URL");
  }
  return kDone;
}

int Unknown(Printer& out, const ContextFile& file, const std::string& name) {
  std::vector<std::string> names;
  for (const Context& context : file.contexts) names.push_back(context.name);
  const std::string meant = Closest(name, names);
  return Fail(out, {kNotFound, "there is no context '" + Visible(name) + "'",
                    meant.empty() ? "see 'spoolctl context ls'"
                                  : "did you mean '" + Visible(meant) + "'?"});
}

int ContextUse(Printer& out, const std::string& wanted) {
  const std::string name = Bare(wanted, "context");
  Outcome<ContextFile> file = ReadContexts();
  if (!file) return Fail(out, file.error());
  const Context* context = file->Find(name);
  if (context == nullptr) return Unknown(out, *file, name);
  file->current = name;
  if (const Outcome<int> done = WriteContexts(*file); !done) return Fail(out, done.error());
  out.Did(AsJson(*file, *context), "context", name, "is used from now on");
  return kDone;
}

int ContextRm(Printer& out, const std::string& wanted) {
  const std::string name = Bare(wanted, "context");
  Outcome<ContextFile> file = ReadContexts();
  if (!file) return Fail(out, file.error());
  const Context* context = file->Find(name);
  if (context == nullptr) return Unknown(out, *file, name);
  const Json gone = AsJson(*file, *context);
  std::erase_if(file->contexts, [&](const Context& c) { return c.name == name; });
  if (file->current == name) file->current.clear();
  if (const Outcome<int> done = WriteContexts(*file); !done) return Fail(out, done.error());
  out.Did(gone, "context", name, "removed");
  return kDone;
}

int ContextAdd(Printer& out, Context context, const std::string& servers, bool use) {
  context.servers = SplitServers(servers);
  if (context.servers.empty()) {
    return Fail(out, {kUsage, "where is it?", "say --server URL, several separated by commas"});
  }
  for (std::string* path :
       {&context.token_file, &context.ca_file, &context.cert_file, &context.key_file}) {
    // It is read from another directory next time.
    if (!path->empty()) *path = std::filesystem::absolute(*path).lexically_normal();
  }
  if (context.name.empty() || context.name.find_first_of(" \t\r\n/,") != context.name.npos) {
    return Fail(out, {kUsage, "'" + Visible(context.name) + "' is no name for a context",
                      "one word, without commas and slashes"});
  }
  Outcome<ContextFile> file = ReadContexts();
  if (!file) return Fail(out, file.error());
  const auto there = std::ranges::find_if(file->contexts,
                                          [&](const Context& c) { return c.name == context.name; });
  const bool known = there != file->contexts.end();
  if (known) {
    *there = context;
  } else {
    file->contexts.push_back(context);
  }
  // The first one is the one that is meant.
  const bool first = file->contexts.size() == 1 && file->current.empty();
  if (use || first) file->current = context.name;
  if (const Outcome<int> done = WriteContexts(*file); !done) return Fail(out, done.error());
  out.Did(AsJson(*file, context), "context", context.name, known ? "changed" : "added");
  return kDone;
}

}  // namespace

void AddContexts(CLI::App& app, Chosen& chosen, const Where& where) {
  CLI::App* noun = AddNoun(app, "context", "Contexts: named servers, and which of them is meant");
  struct Words {
    std::string name;
    bool use = false;
  };
  const auto words = std::make_shared<Words>();
  const auto add = [&](const char* verb, const char* what, const char* example,
                       std::function<int(Printer&)> run) {
    CLI::App* command = AddCommand(*noun, verb, what, example, chosen, nullptr);
    command->callback([&chosen, run = std::move(run)] { chosen.run_local = run; });
    return command;
  };
  CLI::App* make =
      add("add",
          "Make one, or change it; --server, --token-file, --ca, --cert and --key are kept in it",
          "spoolctl context add prod-eu --server https://spool-0:8081,https://spool-1:8081 \\\n"
          "      --token-file /etc/spool/token",
          [words, &where](Printer& out) {
            Context context;
            context.name = Bare(words->name, "context");
            context.token_file = where.token_file;
            context.ca_file = where.ca_file;
            context.cert_file = where.cert_file;
            context.key_file = where.key_file;
            return ContextAdd(out, std::move(context), where.server, words->use);
          });
  make->add_option("NAME", words->name, "its name")->required();
  make->add_flag("--use", words->use, "and mean it from now on, as the first one is anyway");
  add("ls", "List the contexts", "spoolctl context ls", ContextLs);
  add("use", "Mean this one from now on", "spoolctl context use prod-eu",
      [words](Printer& out) { return ContextUse(out, words->name); })
      ->add_option("NAME", words->name, "the context")
      ->required();
  add("rm", "Forget one", "spoolctl context rm prod-eu",
      [words](Printer& out) { return ContextRm(out, words->name); })
      ->add_option("NAME", words->name, "the context")
      ->required();
}

}  // namespace spool::ctl
