// The reference page, made from the tables of fields.
#include <fmt/format.h>

#include "app/config_fields.h"
#include "app/config_text.h"
#include "app/config_values.h"

namespace spool {
namespace {

constexpr std::string_view kHead = R"(# Configuration

This page is made from the program's own tables (`spoold --print-config-docs`); so is
`schemas/config.schema.json`, for editors.

`spoold --config FILE` reads one YAML file, `--config DIR` all `*.yaml` and `*.yml` of a directory in
the order of their names: top-level maps are joined by their keys and lists follow one another, while
what two files both say is an error that names both places. Without `--config` the embedded default
runs: ingest on 127.0.0.1:8080, admin on 127.0.0.1:8081, data in `./spool-data`, the default streams,
and one target `stdout` that prints everything from the beginning. Complete examples are in
`docs/examples/`.

Without `--config` these environment variables count, so that a Deployment needs no file:

| variable | makes |
|---|---|
| `NATS_URL` | a target `nats` whose subjects are the streams' names (a JetStream stream must hold them) |
| `KAFKA_BROKERS` | a target `kafka` whose topics are the streams' names; brokers with commas between |
| `KAFKA_TOPICS` | instead of that target a source `kafka` of these topics, with commas between, in the group `spool` |
| `LOG_LEVEL` | `debug`, `info`, `warn` or `error` |

With one of the first two, events are taken on 0.0.0.0:8080, and with one of these targets `stdout` is left out. `SERVICENOW_*` and
`SPLUNK_*` are refused with a sentence as long as there is no such target.
`docs/kubernetes/event-router.yaml` is a Deployment of that kind.

All problems are told at once, each with file, line and column; `spoold` then exits with 78, and
`spoolctl config validate FILE` tells the same without starting anything.

```
spool.yaml:7:5: error: unknown key 'adress'
    7 |     adress: 127.0.0.1:9090
      |     ^
  hint: did you mean 'address'?
```

## Values

- **Sizes** are whole numbers of bytes, or with `KiB MiB GiB TiB` (1024) or `KB MB GB TB` (1000).
- **Durations** have units: `250ms`, `10s`, `5m`, `2h`, `7d`, or sums such as `1h30m`.
- **Rates** are `100/s`, `600/m`, `10/h`, or a number of events a second; those of bytes `100MiB/s`.
- **Addresses** to listen on are an IP address and a port: `127.0.0.1:8080`, `[::1]:8080`, `0.0.0.0:8080`.
- **Booleans** are `true` and `false`, nothing else.
- **Names** of sources, streams, routes and targets are 1 to 63 of `a-z`, `0-9` and `-`.
- **Secrets** are `{ file: PATH }` or `{ env: NAME }`, read when they are used and again when they
  change; they never stand in the configuration itself and are never printed.
- **`${VAR}`** inside a value becomes the environment variable's text, `${VAR:-default}` the default
  where it is not set or empty, `$$` a plain `$`. This happens after the YAML is read, in values only,
  so a variable can never add keys. A variable that is not set and has no default is an error. Inside
  `{ }` and `[ ]` YAML wants such a value in quotes.
- YAML anchors, aliases and `<<` merges work; a key given twice is an error.

## Changing it while spoold runs

`SIGHUP`, `spoolctl config reload` and `POST /api/v1/config:reload` have `spoold` read its configuration again. It
checks and builds all that is new first; with a problem, or with a change that needs a restart, the old
configuration stays in force as a whole, and the log and the answer say why, in the words of a start
(`spool_config_last_reload_successful` is 0 then). `spoolctl config diff FILE` tells beforehand.

- **targets** that did not change, and whose routes did not, go on undisturbed. One that changed finishes the
  attempt in hand (for five seconds, then it is cut and sent again) and goes on from the same place; what it had not
  settled goes by the new routes. One that is gone stops, and its place is kept, and keeps events from
  retention, until it comes back or is given up (`DELETE /api/v1/targets/NAME`). A new one begins at its `start`.
- **routes** may change the streams that a target gets: a new one counts from the target's place on, one that
  no route reaches any more leaves its account with what still waited there.
- **replays** to a changed target go on with what it has become; one whose target is gone is paused.
- **streams**: `retention` counts from its next pass on, `when_full` from the next event on.
- **sources**: `paths`, `tokens`, `tls.client_names` and `quota` count from the next request on.
- **admin.tokens** and **log** count at once.

A restart is needed for `data_dir`, `cluster`, `journal`, `redaction`, `quarantine`, for `redact`, addresses, TLS and limits of listeners, and for sources
and streams that come or go. What is in secrets and TLS files is followed without any of this, and so are tokens
in files.

## Match rules

A rule is a map: its keys are ANDed; the rules of a list are ORed. Keys are the event's attributes
(`id source type subject stream category subcategory severity cluster namespace kind name reason
producer problemkey`), `origin` (the configured source), `labels.X` (of the object), or a path into
the data such as `data.involvedObject.kind`. Values:

| value | meaning |
|---|---|
| `Failed*` | a glob over the whole text: `*` any characters, `?` one |
| `a\|b` | either |
| `=~^Unhealthy` | an RE2 expression, found anywhere |
| `!x` | not `x`, where `x` is any of these |
| `>=warning` | at least this severity; `>` `>=` `<` `<=` compare numbers elsewhere |

)";

std::string Escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string KeyList(const std::vector<std::string_view>& words) {
  std::string out;
  for (const std::string_view word : words)
    out += (out.empty() ? "`" : " `") + std::string(word) + "`";
  return out;
}

bool IsPart(const Field& field) { return field.section != nullptr; }

void AddRows(std::string& out, const std::vector<Field>& fields, std::string_view prefix) {
  for (const Field& field : fields) {
    if (IsPart(field) && field.type == FieldType::kSection) {
      AddRows(out, field.section->fields, std::string(prefix) + std::string(field.name) + ".");
      continue;
    }
    std::string kind = TypeText(field);
    if (field.type == FieldType::kWord) kind = KeyList(field.words);
    if (field.type == FieldType::kTextList && !field.words.empty()) {
      kind = "a list of " + KeyList(field.words);
    }
    if (field.type == FieldType::kTextMap) kind = "a map of texts";
    if (const std::string range = RangeText(field); !range.empty()) kind += ", " + range;
    std::string fallback = field.required ? "required" : "";
    if (!field.fallback.empty()) fallback = "`" + std::string(field.fallback) + "`";
    const std::string example = field.example.empty() ? "" : "`" + Escape(field.example) + "`";
    out += fmt::format("| `{}{}` | {} | {} | {} | {} |\n", prefix, field.name, kind, fallback,
                       Escape(field.help), example);
    if (field.type == FieldType::kSectionList) {
      AddRows(out, field.section->fields, std::string(prefix) + std::string(field.name) + "[].");
    }
  }
}

void AddTable(std::string& out, const std::vector<Field>& fields, std::string_view prefix) {
  if (fields.empty()) return;
  out += "| key | takes | default | meaning | example |\n|---|---|---|---|---|\n";
  AddRows(out, fields, prefix);
  out += "\n";
}

// What the sections among the fields are for.
void AddPartHelp(std::string& out, const std::vector<Field>& fields) {
  for (const Field& part : fields) {
    if (part.type == FieldType::kSection && !part.section->help.empty()) {
      out += fmt::format("`{}`: {}\n\n", part.name, part.section->help);
    }
  }
}

void AddStreams(std::string& out) {
  out += "| default stream | holds | age | size | when_full |\n|---|---|---|---|---|\n";
  for (const DefaultStream& stream : DefaultStreamTable()) {
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", stream.name, stream.holds, stream.age,
                       stream.size == "0" ? "no limit" : stream.size, stream.when_full);
  }
  out += "\n";
}

}  // namespace

std::string ConfigDocs() {
  std::string out(kHead);
  out += "## Top level\n\n";
  std::vector<Field> single;
  for (const Field& field : ConfigSection().fields) {
    if (!IsPart(field)) single.push_back(field);
  }
  AddTable(out, single, "");
  for (const Field& field : ConfigSection().fields) {
    if (!IsPart(field)) continue;
    const Section& section = *field.section;
    out += fmt::format("## `{}`\n\n{}\n\n", field.name, section.help);
    const std::string prefix = field.type == FieldType::kSectionMap    ? "NAME."
                               : field.type == FieldType::kSectionList ? "[]."
                                                                       : "";
    AddTable(out, section.fields, prefix);
    AddPartHelp(out, section.fields);
    if (field.name == "streams") AddStreams(out);
    for (const Variant& variant : section.variants) {
      out += fmt::format("### {} type `{}`\n\n{}\n\n", section.name, variant.word, variant.help);
      AddTable(out, variant.fields, prefix);
      AddPartHelp(out, variant.fields);
    }
    if (!section.later_variants.empty()) {
      out += fmt::format("Not available in this version: {}.\n\n", KeyList(section.later_variants));
    }
  }
  out.pop_back();
  return out;
}

}  // namespace spool
