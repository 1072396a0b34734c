// Columns aligned by what a terminal shows, not by bytes.
#pragma once

#include <string>
#include <vector>

namespace spool::ctl {

enum class Style { kPlain, kBold, kDim, kGood, kWarn, kBad };
// `text` in that style as ANSI, or as it is without `colour`.
std::string Paint(const std::string& text, Style style, bool colour);

struct Column {
  std::string title;
  bool right = false;    // numbers
  size_t shrink_to = 0;  // on a narrow terminal it may be cut to so many columns; 0: never
};

struct Cell {
  Cell(std::string t = {}, Style s = Style::kPlain) : text(std::move(t)), style(s) {}  // NOLINT
  Cell(const char* t) : text(t) {}                                                     // NOLINT
  std::string text;  // any bytes; made visible when it is laid out
  Style style = Style::kPlain;
};

struct TableLook {
  bool headers = true;
  bool colour = false;
  size_t width = 0;  // columns of the terminal; 0: nothing is ever cut
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // REQUIRES: as many cells as columns.
  void Add(std::vector<Cell> row);
  // Puts a column before the others; `cells` has one for each row.
  void AddFront(Column column, const std::vector<std::string>& cells);
  bool empty() const { return rows_.empty(); }
  size_t rows() const { return rows_.size(); }
  // The lines of what was added since the last call, with the header before the first of them.
  // Columns only grow from call to call, so that a table can be printed while it arrives.
  std::string Render(const TableLook& look);

 private:
  std::vector<size_t> Widths(const TableLook& look) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;  // made visible
  std::vector<size_t> natural_;          // the widest cell so far
  bool begun_ = false;
};

// "Label:  value" lines, values aligned. Values are made visible.
class Details {
 public:
  void Add(std::string label, std::string value, Style style = Style::kPlain);
  std::string Render(bool colour) const;

 private:
  std::vector<std::pair<std::string, Cell>> lines_;
};

}  // namespace spool::ctl
