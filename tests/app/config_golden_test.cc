// What a person is told, letter by letter: tests/golden/config/NAME.yaml against NAME.txt.
// With SPOOL_UPDATE_GOLDEN=1 the texts are written anew.
#include "tests/app/config_fixture.h"
#include "tests/support/paths.h"

namespace spool {
namespace {

namespace fs = std::filesystem;
using namespace config_test;

const fs::path kDirectory = fs::path(spool::testing::SourceDir()) / "tests/golden/config";

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kDirectory)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class ConfigGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(ConfigGolden, IsToldAsWritten) {
  const ScopedEnv unset("SPOOL_TEST_UNSET", nullptr);
  const ScopedEnv level("SPOOL_TEST_LEVEL", "topsecret");
  const std::string name = GetParam() + ".yaml";
  const ConfigResult result = ParseConfig(ReadAll(kDirectory / name), name);
  EXPECT_EQ(result.config.has_value(), result.problems.empty());
  const std::string told = All(result);
  const fs::path golden = kDirectory / (GetParam() + ".txt");
  if (std::getenv("SPOOL_UPDATE_GOLDEN") != nullptr) std::ofstream(golden) << told;
  EXPECT_EQ(told, ReadAll(golden));
  EXPECT_THAT(told, ::testing::Not(::testing::HasSubstr("hunter2")));
  EXPECT_THAT(told, ::testing::Not(::testing::HasSubstr("topsecret")));
}

INSTANTIATE_TEST_SUITE_P(Files, ConfigGolden, ::testing::ValuesIn(Names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace spool
