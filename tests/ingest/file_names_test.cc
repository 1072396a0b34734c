#include "ingest/sources/file_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/journal_fixture.h"

namespace spool {
namespace {

TEST(FileNames, KnowsRotationsByTheirNames) {
  for (const char* name :
       {"audit.log.1", "audit.log.12.gz", "audit.log.gz", "audit-2026-11-28T06-00-00.000.log",
        "audit.log-20261128", "audit-2026-11-28T06-00-00.000.log.gz", "audit.log.old"}) {
    EXPECT_TRUE(IsRotationOf(name, "audit.log")) << name;
  }
  for (const char* name :
       {"audit.log", "auditor.log", "auditor-1.log", "audit", "other.log.1", "audit.log.swp", ""}) {
    EXPECT_FALSE(IsRotationOf(name, "audit.log")) << name;
  }
}

TEST(FileNames, FindsWhatFitsAndWhatMayBeRotations) {
  const ScratchDir dir;
  for (const char* name : {"a.log", "b.log", "a.log.1", "c.txt", "gone.log.1.gz"}) {
    std::ofstream(dir.path() + "/" + name) << "x";
  }
  std::vector<std::string> found;
  for (const FoundName& one : FindFiles(dir.path() + "/*.log", {dir.path() + "/gone.log"})) {
    found.push_back((one.fits ? "+" : "-") + one.path.substr(dir.path().size() + 1));
  }
  EXPECT_THAT(found,
              ::testing::UnorderedElementsAre("+a.log", "+b.log", "-a.log.1", "-gone.log.1.gz"));
  EXPECT_THAT(FindFiles(dir.path() + "/none*", {}), ::testing::IsEmpty());
}

}  // namespace
}  // namespace spool
