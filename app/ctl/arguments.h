// What single arguments may be. Each check gives what is wrong, or an empty text.
#pragma once

#include <string>

#include "base/result.h"

namespace spool::ctl {

std::string CheckTime(const std::string& text);
std::string CheckTimeOrSequence(const std::string& text);
std::string CheckTimeout(const std::string& text);
std::string CheckFormat(const std::string& text);
std::string CheckMatch(const std::string& text);  // K=V or K!=V
std::string CheckScan(const std::string& text);   // a number, or "all"
std::string CheckRate(const std::string& text);

// Events per second of "500/s", "500", "30/m" or "1000/h". kInvalid with what was expected.
Result<double> ParseRate(const std::string& text);

}  // namespace spool::ctl
