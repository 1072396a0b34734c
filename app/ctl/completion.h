// What a shell offers while a command line is being typed.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace spool::ctl {

class Interrupt;

// For the words behind "spoolctl" up to the one under the cursor, which may be empty: lines
// "CANDIDATE\tWHAT IT IS", or ":files" where a file is meant. Names of targets, streams, replays
// and the like are asked from the servers that the words mean, within kLiveNames each; a server
// that does not answer offers none.
std::string Complete(const CLI::App& app, const std::vector<std::string>& words,
                     Interrupt& interrupt);

// The script that makes `shell` ask; empty for a shell that is none of bash, zsh and fish.
std::string CompletionScript(const std::string& shell);

}  // namespace spool::ctl
