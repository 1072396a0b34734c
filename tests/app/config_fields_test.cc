// Every field's bounds, and every field's own example and default.
#include "app/config_fields.h"

#include <set>

#include "app/config_values.h"
#include "tests/app/config_fixture.h"

namespace spool {
namespace {

using namespace config_test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// A field's lowest and highest good value, and what lies just outside. `with` goes beside it where
// another field has to make room.
struct Bounds {
  std::string path;
  std::string lowest, highest;
  std::string below, above;  // empty: nothing is
  std::string with_lowest = "";
  std::string with_highest = "";
};

const std::vector<Bounds>& AllBounds() {
  static const std::vector<Bounds> rows = {
      {"version", "1", "1", "0", "2"},
      {"cluster.name", "\"\"", std::string(253, 'x'), "", std::string(254, 'x')},
      {"data_dir", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x')},
      {"journal.compression_level", "1", "9", "0", "10"},
      {"journal.disk_reserve", "64MiB", "16TiB", "67108863", "17TiB"},
      {"journal.scrub", "64KiB", "1GiB", "65535", "1025MiB"},
      {"journal.dedupe.window", "1s", "7d", "999ms", "7d1s"},
      {"journal.dedupe.entries", "1000", "20000000", "999", "20000001"},
      {"journal.dead_letters.events", "1", "100000000", "0", "100000001"},
      {"journal.dead_letters.bytes", "1MiB", "1TiB", "1MB", "1025GiB"},
      {"sources.x.http.limits.body", "1KiB", "256MiB", "1023", "257MiB", "", "in_flight: 256MiB"},
      {"sources.x.http.limits.in_flight", "1MiB", "4GiB", "1MB", "5GiB", "body: 1MiB"},
      {"sources.x.http.limits.connections", "1", "65536", "0", "65537"},
      {"sources.x.http.limits.connections_per_peer", "1", "65536", "", "65537"},
      {"sources.x.http.limits.handshake_timeout", "1s", "10m", "0s", "11m"},
      {"sources.x.http.limits.header_timeout", "1s", "10m", "0s", "11m"},
      {"sources.x.http.limits.body_timeout", "1s", "1h", "0s", "1h1s"},
      {"sources.x.http.limits.idle_timeout", "1s", "1h", "0s", "1h1s"},
      {"sources.x.http.quota.events", "1/h", "10000000/s", "0.5/h", "10000001"},
      {"sources.x.http.quota.bytes", "1KiB/s", "64GiB/s", "1023/s", "65GiB/s"},
      {"sources.x.http.quota.in_flight", "1", "65536", "", "65537"},
      {"streams.x.retention.age", "1m", "3650d", "59s", "3651d"},
      {"streams.x.retention.size", "16MiB", "1024TiB", "15MiB", "1025TiB"},
      {"targets.x.batch.events", "1", "10000", "0", "10001"},
      {"targets.x.batch.bytes", "1KiB", "16MiB", "1023", "17MiB"},
      {"targets.x.batch.wait", "0s", "1m", "", "1m1s"},
      {"targets.x.timeout.connect", "10ms", "5m", "9ms", "6m", "", "request: 5m"},
      {"targets.x.timeout.request", "10ms", "10m", "9ms", "11m", "connect: 10ms"},
      {"targets.x.retry.first", "1ms", "1h", "0s", "2h", "", "max: 1h"},
      {"targets.x.retry.max", "1ms", "1d", "0s", "2d", "first: 1ms"},
      {"targets.x.concurrency", "1", "64", "0", "65"},
      {"targets.x.rate", "1/h", "10000000/s", "0.5/h", "10000001"},
      {"targets.x.max_age", "1s", "3650d", "999ms", "3651d"},
      {"admin.tls.cert", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x'), "key: k",
       "key: k"},
      {"admin.tls.key", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x'), "cert: c",
       "cert: c"},
      {"admin.tls.client_ca", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x'),
       "cert: c, key: k", "cert: c, key: k"},
      {"sources.x.http.tls.cert", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x'),
       "key: k", "key: k"},
      {"sources.x.http.tls.key", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x'),
       "cert: c", "cert: c"},
      {"sources.x.http.tls.client_ca", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x'),
       "cert: c, key: k", "cert: c, key: k"},
      {"targets.x.webhook.tls.ca", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x')},
      {"targets.x.webhook.tls.cert", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x'),
       "key: k", "key: k"},
      {"targets.x.webhook.tls.key", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x'),
       "cert: c", "cert: c"},
      {"targets.x.nats.subject", "a", std::string(255, 'x'), "\"\"", std::string(256, 'x')},
      {"targets.x.nats.stream", "\"\"", std::string(255, 'x'), "", std::string(256, 'x')},
      {"targets.x.nats.window", "1", "65536", "0", "65537"},
      {"targets.x.nats.username", "\"\"", std::string(255, 'x'), "", std::string(256, 'x'),
       "password: { env: P }", "password: { env: P }"},
      {"targets.x.kafka.topic", "a", std::string(249, 'x'), "\"\"", std::string(256, 'x')},
      {"targets.x.kafka.key", "\"\"", std::string(255, 'x'), "", std::string(256, 'x')},
      {"targets.x.kafka.tls.ca", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x')},
      {"targets.x.kafka.tls.cert", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x'),
       "key: k", "key: k"},
      {"targets.x.kafka.tls.key", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x'),
       "cert: c", "cert: c"},
      {"targets.x.kafka.sasl.username", "a", std::string(255, 'x'), "\"\"", std::string(256, 'x'),
       "password: { env: P }", "password: { env: P }"},
      {"sources.x.file.path", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x')},
      {"sources.x.nats.tls.ca", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x')},
      {"sources.x.nats.tls.cert", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x'),
       "key: k", "key: k"},
      {"sources.x.nats.tls.key", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x'),
       "cert: c", "cert: c"},
      {"sources.x.kafka.tls.ca", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x')},
      {"sources.x.kafka.tls.cert", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x'),
       "key: k", "key: k"},
      {"sources.x.kafka.tls.key", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x'),
       "cert: c", "cert: c"},
      {"sources.x.kafka.group", "a", std::string(255, 'x'), "\"\"", std::string(256, 'x')},
      {"sources.x.kafka.sasl.username", "a", std::string(255, 'x'), "\"\"", std::string(256, 'x'),
       "password: { env: P }", "password: { env: P }"},
      {"sources.x.nats.stream", "a", std::string(255, 'x'), "\"\"", std::string(256, 'x')},
      {"sources.x.nats.durable", "a", std::string(255, 'x'), "\"\"", std::string(256, 'x')},
      {"sources.x.nats.subject", "\"\"", std::string(255, 'x'), "", std::string(256, 'x')},
      {"sources.x.nats.username", "\"\"", std::string(255, 'x'), "", std::string(256, 'x'),
       "password: { env: P }", "password: { env: P }"},
      {"targets.x.file.path", "a", std::string(4096, 'x'), "\"\"", std::string(4097, 'x')},
  };
  return rows;
}

std::vector<std::string> Split(const std::string& path) {
  std::vector<std::string> parts;
  std::istringstream in(path);
  for (std::string part; std::getline(in, part, '.');) parts.push_back(part);
  return parts;
}

// A whole configuration in which `path` has `value`.
std::string Wrap(const std::string& path, const std::string& value, const std::string& with = "") {
  std::vector<std::string> parts = Split(path);
  std::string inner = parts.back() + ": " + value + (with.empty() ? "" : ", " + with);
  std::string type = parts[0] == "sources" ? "http" : "stdout";
  if ((parts[0] == "targets" || parts[0] == "sources") && parts.size() >= 4) {
    for (const Field& field : ConfigSection().fields) {
      if (field.name != parts[0] || parts[2] == type) continue;
      for (const Variant& variant : field.section->variants) {
        if (variant.word == parts[2]) type = parts[2];
      }
    }
    if (type == parts[2]) parts.erase(parts.begin() + 2);
  }
  // `{ type: …, a: { b: value } }` for what hangs below a name.
  for (size_t i = parts.size() - 1; i-- > 1;) {
    std::string extra;
    if (i == 1 && parts[0] != "streams") {
      extra = "type: " + type + ", ";
      if (type == "webhook" && parts.back() != "url") {
        extra += parts[2] == "tls" ? "url: \"https://h\", " : "url: \"http://h\", ";
      }
      if (type == "kafka" && parts.back() != "brokers") extra += "brokers: [h], ";
      if (parts[0] == "sources") {
        if (type == "kafka" && parts.back() != "topics") extra += "topics: [t], ";
        if (type == "nats" && parts.back() != "stream") extra += "stream: s, ";
        if (type == "file" && parts.back() != "path") extra += "path: p, ";
      }
      if (parts[2] == "sasl") extra += "tls: {}, ";  // or it warns
    }
    if (i == 1 && (parts[0] == "sources" || parts[0] == "targets" || parts[0] == "streams")) {
      inner = parts[1] + ": { " + extra + inner + " }";
    } else {
      inner = parts[i] + ": { " + inner + " }";
    }
  }
  std::string text = parts.size() == 1 ? inner + "\n" : parts[0] + ": { " + inner + " }\n";
  if (parts[0] != "version") text = "version: 1\n" + text;
  if (parts[0] != "targets") text += "targets: { out: { type: stdout } }\n";
  return text;
}

TEST(ConfigFields, TakeTheirBoundsAndNothingBeyond) {
  for (const Bounds& row : AllBounds()) {
    EXPECT_THAT(Problems(Wrap(row.path, row.lowest, row.with_lowest)), IsEmpty())
        << Wrap(row.path, row.lowest, row.with_lowest);
    EXPECT_THAT(Problems(Wrap(row.path, row.highest, row.with_highest)), IsEmpty())
        << Wrap(row.path, row.highest, row.with_highest);
    const std::string name = "'" + row.path.substr(row.path.rfind('.') + 1) + "' must";
    if (!row.below.empty()) {
      EXPECT_THAT(Problems(Wrap(row.path, row.below, row.with_lowest)),
                  ElementsAre(HasSubstr(name)))
          << Wrap(row.path, row.below, row.with_lowest);
    }
    if (!row.above.empty()) {
      EXPECT_THAT(Problems(Wrap(row.path, row.above, row.with_highest)),
                  ElementsAre(HasSubstr(name)))
          << Wrap(row.path, row.above, row.with_highest);
    }
  }
}

struct Leaf {
  std::string path;
  const Field* field;
};

void Collect(const std::vector<Field>& fields, const std::string& prefix, std::vector<Leaf>& out) {
  for (const Field& field : fields) {
    const std::string path = prefix + std::string(field.name);
    if (field.section == nullptr) {
      out.push_back({path, &field});
      continue;
    }
    const std::string below = path + (field.type == FieldType::kSectionMap    ? ".x."
                                      : field.type == FieldType::kSectionList ? "[]."
                                                                              : ".");
    Collect(field.section->fields, below, out);
    for (const Variant& variant : field.section->variants) {
      Collect(variant.fields, below + std::string(variant.word) + ".", out);
    }
    if (field.type == FieldType::kSectionList && !field.help.empty()) out.push_back({path, &field});
  }
}

std::vector<Leaf> Leaves() {
  std::vector<Leaf> out;
  Collect(ConfigSection().fields, "", out);
  return out;
}

TEST(ConfigFields, HaveAllTheirBoundsTestedHere) {
  std::set<std::string> tested;
  for (const Bounds& row : AllBounds()) tested.insert(row.path);
  size_t bounded = 0;
  for (const Leaf& leaf : Leaves()) {
    const bool has_bounds =
        leaf.field->min != 0 || leaf.field->max != std::numeric_limits<int64_t>::max();
    // Types and tokens have their words, or are looked at as a pair, elsewhere.
    if (!has_bounds || leaf.field->name == "type" ||
        leaf.path.find("tokens[]") != std::string::npos) {
      continue;
    }
    EXPECT_TRUE(tested.contains(leaf.path)) << leaf.path;
    ++bounded;
  }
  EXPECT_EQ(bounded, tested.size());
}

TEST(ConfigFields, TakeZeroWhereItTurnsThemOff) {
  for (const char* path : {"journal.disk_reserve", "journal.scrub", "journal.dedupe.entries",
                           "targets.x.rate", "sources.x.http.quota.events",
                           "sources.x.http.quota.bytes", "sources.x.http.quota.in_flight"}) {
    EXPECT_THAT(Problems(Wrap(path, "0")), IsEmpty()) << path;
  }
  for (const char* path :
       {"journal.dedupe.window", "streams.x.retention.age", "targets.x.max_age"}) {
    EXPECT_THAT(Problems(Wrap(path, "0s")), IsEmpty()) << path;
  }
  EXPECT_THAT(Problems(Wrap("streams.x.retention.size", "0")), IsEmpty());
}

TEST(ConfigFields, HaveExamplesThatWork) {
  for (const Leaf& leaf : Leaves()) {
    EXPECT_FALSE(leaf.field->example.empty()) << leaf.path;
    EXPECT_FALSE(leaf.field->help.empty()) << leaf.path;
    if (leaf.path.find("[]") != std::string::npos) continue;  // inside the list's own example
    std::string with;
    if (leaf.path.ends_with("s.x.nats.username")) with = "password: { env: P }";
    if (leaf.path.ends_with("s.x.nats.password")) with = "username: u";
    if (leaf.path.find(".tls.") != std::string::npos) {
      const bool ours = leaf.path.starts_with("admin.") || leaf.path.starts_with("sources.x.http.");
      if (leaf.field->name != "cert" && (ours || leaf.field->name == "key")) with = "cert: c";
      if (leaf.field->name != "key" && (ours || leaf.field->name == "cert")) {
        with += (with.empty() ? "" : ", ") + std::string("key: k");
      }
      if (leaf.field->name.starts_with("client_") && leaf.field->name != "client_ca") {
        with += ", client_ca: a";
      }
      // Tokens stand beside `tls`, whose bracket is closed for them.
      if (leaf.field->name == "client_cert") with += " }, tokens: [ { env: T } ], limits: {";
    }
    if (leaf.path.find(".x.kafka.sasl.") != std::string::npos) {
      with = leaf.field->name == "username" ? "" : "username: u";
      if (leaf.field->name != "password") {
        with += (with.empty() ? "" : ", ") + std::string("password: { env: P }");
      }
    }
    std::string text = Wrap(leaf.path, std::string(leaf.field->example), with);
    if (leaf.field->name == "type") {
      text = leaf.path.starts_with("sources")
                 ? "version: 1\nsources: { x: { type: http } }\n"
                 : "version: 1\ntargets: { x: { type: webhook, url: \"http://h\" } }\n";
      EXPECT_NE(text.find(leaf.field->example), std::string::npos);
    }
    EXPECT_THAT(Problems(text), IsEmpty()) << text;
  }
}

TEST(ConfigFields, HaveDefaultsThatAreTheirOwnType) {
  for (const Leaf& leaf : Leaves()) {
    FieldValue value;
    TakeFallback(*leaf.field, value);  // aborts on a bad one
  }
}

TEST(ConfigFields, ReadAddressesAsNumbersOnly) {
  const auto loopback = ParseListenAddress("127.9.9.9:0");
  ASSERT_TRUE(loopback.has_value());
  EXPECT_TRUE(loopback->loopback);
  EXPECT_TRUE(ParseListenAddress("[::1]:8080")->loopback);
  EXPECT_TRUE(ParseListenAddress("[::]:8080")->any);
  EXPECT_TRUE(ParseListenAddress("0.0.0.0:65535")->any);
  for (const char* bad :
       {"", "8080", ":8080", "localhost:1", "127.0.0.1", "127.0.0.1:", "1.2.3:4", "127.0.0.1:65536",
        "127.0.0.1:-1", "::1:80", "[::1]", "[127.0.0.1]:1", "127.0.0.1:000080", "127.0.0.1:8 "}) {
    EXPECT_FALSE(ParseListenAddress(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace spool
