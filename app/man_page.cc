#include "app/man_page.h"

#include <CLI/CLI.hpp>
#include <sstream>

namespace spool {
namespace {

// A text that roff takes as it is.
std::string Escaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c == '.' || c == '\'') && (i == 0 || text[i - 1] == '\n')) out += "\\&";
    switch (c) {
      case '\\': out += "\\e"; break;
      case '-': out += "\\-"; break;
      case '\'': out += "\\(aq"; break;
      case '`': out += "\\(ga"; break;
      case '^': out += "\\(ha"; break;
      case '~': out += "\\(ti"; break;
      default: out += c;
    }
  }
  return out;
}

std::string Bold(const std::string& text) { return "\\fB" + Escaped(text) + "\\fR"; }
std::string Italic(const std::string& text) { return "\\fI" + Escaped(text) + "\\fR"; }

// "-o, --output FORMAT"
std::string FlagTerm(const CLI::Option& option) {
  std::string term;
  for (const std::string& name : option.get_snames()) {
    term += (term.empty() ? "" : ", ") + Bold("-" + name);
  }
  for (const std::string& name : option.get_lnames()) {
    term += (term.empty() ? "" : ", ") + Bold("--" + name);
  }
  if (option.get_items_expected_max() > 0) {
    const std::string type = option.get_type_name();  // with its bounds behind a colon
    term += " " + Italic(type.substr(0, type.find(':')));
  }
  return term;
}

void Flags(std::string& page, const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional() || option->get_group().empty()) continue;
    if (option->get_lnames().empty() && option->get_snames().empty()) continue;
    if (app.get_parent() != nullptr && option == app.get_help_ptr()) continue;
    page += ".TP\n" + FlagTerm(*option) + "\n" + Escaped(option->get_description()) + "\n";
  }
}

std::string Arguments(const CLI::App& app) {
  std::string text;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    const std::string name = option->get_name(true);
    const bool many = option->get_items_expected_max() > 1;
    const std::string one = Italic(name) + (many ? "..." : "");
    text += " " + (option->get_required() ? one : "[" + one + "]");
  }
  return text;
}

// The commands shown in a footer's "Example:", as they are.
std::string Examples(const std::string& footer) {
  std::istringstream in(footer);
  std::string text;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("Example")) {
      inside = true;
    } else if (line.empty()) {
      inside = false;
    } else if (inside) {
      text += Escaped(line.starts_with("  ") ? line.substr(2) : line) + "\n";
    }
  }
  return text;
}

void Command(std::string& page, const CLI::App& app, const std::string& path) {
  page += ".SS " + Bold(path) + Arguments(app) + "\n";
  page += Escaped(app.get_description()) + ".\n";
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    page +=
        ".TP\n" + Italic(option->get_name(true)) + "\n" + Escaped(option->get_description()) + "\n";
  }
  Flags(page, app);
  const std::string examples = Examples(app.get_footer());
  if (!examples.empty()) page += ".PP\n.nf\n.RS 4\n" + examples + ".RE\n.fi\n";
}

void Commands(std::string& page, const CLI::App& app, const std::string& path) {
  for (const CLI::App* below : app.get_subcommands(nullptr)) {
    if (below->get_group().empty()) continue;  // for programs
    const std::string name = path + " " + below->get_name();
    if (below->get_subcommands(nullptr).empty()) {
      Command(page, *below, name);
    } else {
      Commands(page, *below, name);
    }
  }
}

void Section(std::string& page, const std::string& title, const std::string& text) {
  page += ".SH " + title + "\n";
  std::istringstream in(text);
  bool verbatim = false;
  bool terms = false;
  const auto set = [&](bool on) {
    if (on != verbatim) page += on ? ".PP\n.nf\n.RS 4\n" : ".RE\n.fi\n";
    verbatim = on;
  };
  for (std::string line; std::getline(in, line);) {
    set(line.starts_with("  "));
    const size_t tab = line.find('\t');
    if (terms && tab == line.npos && !verbatim && !line.empty()) page += ".PP\n";
    terms = tab != line.npos;
    if (verbatim) {
      page += Escaped(line.substr(2)) + "\n";
    } else if (tab != line.npos) {
      page += ".TP\n" + Bold(line.substr(0, tab)) + "\n" + Escaped(line.substr(tab + 1)) + "\n";
    } else if (line.empty()) {
      page += ".PP\n";
    } else {
      page += Escaped(line) + "\n";
    }
  }
  set(false);
}

std::string Upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

}  // namespace

std::string ManPage(const CLI::App& app, const ManText& text) {
  const std::string section = std::to_string(text.section);
  std::string page = ".\\\" Made from the command line's own table: run ./dev docs.\n.TH " +
                     Upper(text.name) + " " + section + " \"\" \"spool " SPOOL_VERSION "\" \"" +
                     (text.section == 8 ? "System Administration" : "User Commands") + "\"\n";
  page += ".SH NAME\n" + text.name + " \\- " + Escaped(text.summary) + "\n";
  page += ".SH SYNOPSIS\n.B " + text.name + "\n" + Escaped(text.synopsis) + "\n";
  page += ".SH DESCRIPTION\n" + Escaped(app.get_description()) + "\n";
  if (!app.get_subcommands(nullptr).empty()) {
    page += ".SH COMMANDS\n";
    Commands(page, app, text.name);
    page += ".SH \"FLAGS OF EVERY COMMAND\"\n";
  } else {
    page += ".SH OPTIONS\n";
  }
  Flags(page, app);
  for (const auto& [title, lines] : text.sections) Section(page, title, lines);
  if (!text.see_also.empty()) {
    page += ".SH \"SEE ALSO\"\n";
    for (size_t i = 0; i < text.see_also.size(); ++i) {
      const std::string& other = text.see_also[i];
      const size_t open = other.find('(');
      page += ".BR " + other.substr(0, open) + " " + other.substr(open) +
              (i + 1 < text.see_also.size() ? "," : "") + "\n";
    }
  }
  return page;
}

}  // namespace spool
