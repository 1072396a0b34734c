#include "app/ctl/table.h"

#include <algorithm>

#include "app/ctl/text.h"
#include "base/assert.h"

namespace spool::ctl {
namespace {

constexpr size_t kGap = 2;

void AppendPadded(std::string& line, const std::string& text, size_t width, bool right, bool last,
                  Style style, bool colour) {
  const size_t shown = DisplayWidth(text);
  const size_t pad = width > shown ? width - shown : 0;
  if (right) line.append(pad, ' ');
  line += Paint(text, style, colour);
  if (!right && !last) line.append(pad, ' ');
}

}  // namespace

std::string Paint(const std::string& text, Style style, bool colour) {
  if (!colour || text.empty()) return text;
  const char* code = nullptr;
  switch (style) {
    case Style::kPlain: return text;
    case Style::kBold: code = "1"; break;
    case Style::kDim: code = "2"; break;
    case Style::kGood: code = "32"; break;
    case Style::kWarn: code = "33"; break;
    case Style::kBad: code = "31"; break;
  }
  return std::string("\x1b[") + code + "m" + text + "\x1b[0m";
}

void Table::Add(std::vector<Cell> row) {
  SPOOL_ASSERT(row.size() == columns_.size());
  for (Cell& cell : row) {
    cell.text = cell.text.empty() ? "-" : Visible(cell.text);
  }
  rows_.push_back(std::move(row));
}

void Table::AddFront(Column column, const std::vector<std::string>& cells) {
  SPOOL_ASSERT(cells.size() == rows_.size());
  columns_.insert(columns_.begin(), std::move(column));
  for (size_t i = 0; i < rows_.size(); ++i) {
    rows_[i].insert(rows_[i].begin(), Cell(cells[i].empty() ? "-" : Visible(cells[i])));
  }
}

std::vector<size_t> Table::Widths(const TableLook& look) const {
  std::vector<size_t> widths = natural_;
  if (look.width == 0) return widths;
  size_t total = kGap * (widths.size() - 1);
  for (const size_t width : widths) total += width;
  // The rightmost gives way first: it is the free text.
  for (size_t i = widths.size(); i-- > 0 && total > look.width;) {
    const size_t least = columns_[i].shrink_to;
    if (least == 0 || widths[i] <= least) continue;
    const size_t cut = std::min(widths[i] - least, total - look.width);
    widths[i] -= cut;
    total -= cut;
  }
  return widths;
}

std::string Table::Render(const TableLook& look) {
  const bool header = look.headers && !begun_;
  natural_.resize(columns_.size(), 0);
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (look.headers) natural_[i] = std::max(natural_[i], DisplayWidth(columns_[i].title));
    for (const auto& row : rows_) natural_[i] = std::max(natural_[i], DisplayWidth(row[i].text));
  }
  const std::vector<size_t> widths = Widths(look);
  std::string out;
  const auto line = [&](auto&& text_of, auto&& style_of) {
    for (size_t i = 0; i < columns_.size(); ++i) {
      const bool last = i + 1 == columns_.size();
      AppendPadded(out, Truncate(text_of(i), widths[i]), widths[i], columns_[i].right, last,
                   style_of(i), look.colour);
      if (!last) out.append(kGap, ' ');
    }
    out += '\n';
  };
  if (header) {
    line([&](size_t i) { return columns_[i].title; }, [](size_t) { return Style::kBold; });
  }
  for (const auto& row : rows_) {
    line([&](size_t i) { return row[i].text; }, [&](size_t i) { return row[i].style; });
  }
  begun_ = begun_ || header;
  rows_.clear();
  return out;
}

void Details::Add(std::string label, std::string value, Style style) {
  lines_.emplace_back(std::move(label), Cell(value.empty() ? "-" : Visible(value), style));
}

std::string Details::Render(bool colour) const {
  size_t width = 0;
  for (const auto& [label, cell] : lines_) width = std::max(width, DisplayWidth(label) + 1);
  std::string out;
  for (const auto& [label, cell] : lines_) {
    AppendPadded(out, label + ":", width, false, false, Style::kBold, colour);
    out += "  " + Paint(cell.text, cell.style, colour) + "\n";
  }
  return out;
}

}  // namespace spool::ctl
