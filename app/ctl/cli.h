// The command line of spoolctl.
#pragma once

namespace spool::ctl {

// Parses, runs one command, gives the exit status (failure.h). Call it once, from main.
int RunCtl(int argc, char** argv);

}  // namespace spool::ctl
