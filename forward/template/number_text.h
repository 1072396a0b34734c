// Numbers as text, in the forms of Go's strconv and encoding/json.
#pragma once

#include <string>

namespace spool::tmpl {

// strconv.FormatFloat(value, form, digits, 64); `form` is one of e E f F g G, `digits` -1 means as
// many as it takes to read the same number again.
void AppendFloat(std::string& out, double value, char form, int digits);

// The shortest form that JSON has for it, without an exponent from 1e-6 up to 1e21.
// REQUIRES: finite.
void AppendJsonNumber(std::string& out, double value);

}  // namespace spool::tmpl
