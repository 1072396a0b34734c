#include "forward/template/exporter_names.h"

#include <string>

namespace spool::tmpl {
namespace {

bool Upper(char c) { return c >= 'A' && c <= 'Z'; }

}  // namespace

const Value* FindExporterField(const Value& map, std::string_view name) {
  if (name.empty() || !Upper(name[0])) return nullptr;
  std::string json(name);
  // Of several capitals the last begins the next word, unless they are all there is.
  for (size_t i = 0; i < json.size() && Upper(json[i]); ++i) {
    if (i > 0 && i + 1 < json.size() && !Upper(json[i + 1])) break;
    json[i] = static_cast<char>(json[i] + ('a' - 'A'));
  }
  return map.FindField(json);
}

}  // namespace spool::tmpl
