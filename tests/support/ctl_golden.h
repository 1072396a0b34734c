// Answers of the admin API from tests/golden/ctl, and what spoolctl says of them, in the form in
// which the golden files keep it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/support/ctl_fixture.h"

namespace spool::testing {

class CtlGoldenAdmin {
 public:
  CtlGoldenAdmin();

  // The command line, both outputs and the exit status; what differs from run to run is replaced:
  // the server's address, and times that were computed, by "AGO(6d)".
  std::string Tell(const std::vector<std::string>& args, const CtlResult& result) const;
  FakeAdmin& admin() { return admin_; }
  std::string url() const { return admin_.url(); }

 private:
  std::string Answer(const std::string& file);

  FakeAdmin admin_;
  std::map<std::string, std::string> ago_;
};

std::string GoldenDirectory();  // tests/golden/ctl
// With SPOOL_UPDATE_GOLDEN in the environment the file is written anew; in any case it is read.
std::string Golden(const std::string& path, const std::string& now);
void ReplaceAll(std::string& text, const std::string& what, const std::string& by);

}  // namespace spool::testing
