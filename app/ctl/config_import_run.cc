// Other programs' configurations, read and printed as ours.
#include <fstream>

#include "app/config_file.h"
#include "app/config_import.h"
#include "app/ctl/commands.h"
#include "app/ctl/config_problems.h"
#include "app/ctl/text.h"

namespace spool::ctl {

int ConfigImport(Printer& out, const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    out.Fail({kNotFound, "the file " + Visible(path) + " cannot be read", ""});
    return kNotFound;
  }
  std::string text(kConfigFileBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > kConfigFileBytesMax) {
    out.Fail({kFailed, "the file " + Visible(path) + " is larger than 1 MiB", ""});
    return kFailed;
  }
  const ImportResult made = ImportEventExporter(text, path);
  if (!made.problems.empty()) {
    TellProblems(out, made.problems);
    return kBadConfig;
  }
  out.Raw(VisibleLines(made.yaml));
  if (!made.never_worked.empty()) {
    out.Note(Count(made.never_worked.size(), "line") +
             " of it never worked; the comments at the top list them");
  }
  out.Note("look through what was made, then check it: spoolctl config validate FILE");
  return kDone;
}

}  // namespace spool::ctl
