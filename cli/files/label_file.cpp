// SPDX-License-Identifier: Apache-2.0
#include "cli/files/label_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

#include "cli/files/csv.hpp"
#include "core/id.hpp"

namespace covey::cli {
namespace {

constexpr size_t kLineBytesMax = 1024;
constexpr size_t kBootIdDigits = 16;
constexpr std::array<std::string_view, 4> kColumns = {"device", "boot_id", "inference", "class"};
constexpr std::string_view kExample = "press-07,00f1e2d3c4b5a697,1204,2";

template <typename Number>
std::string read_number(std::string_view what, const std::string& cell, Number& number) {
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), number);
  if (error == std::errc::result_out_of_range) {
    return fmt::format("{} {} is larger than {}", what, in_quotes(cell),
                       std::numeric_limits<Number>::max());
  }
  if (error == std::errc() && end == cell.data() + cell.size()) return "";
  return fmt::format("{} {} is not a whole number, 0 or more", what, in_quotes(cell));
}

class Reader {
 public:
  Result<std::vector<LabelLine>> read(std::string_view text) {
    if (!take_mark(text)) {
      return invalid(
          "BAD_LABELS",
          "the file is UTF-16, or no text: save it as UTF-8 (`iconv -f UTF-16 -t UTF-8`)");
    }
    bool first = true;
    for (size_t number = 1; !text.empty(); ++number) {
      const std::string_view line = take_line(text);
      if (trimmed(line).empty() || trimmed(line).front() == '#') continue;
      if (first) separator_ = separator_of(line);
      const std::string problem = read_line(line, number, first);
      first = false;
      if (!problem.empty()) complain(number, problem);
      if (broken_head_) break;
    }
    if (problems_ == 0) return std::move(labels_);
    if (problems_ > kLabelProblemsShown) {
      said_ += fmt::format("\nand {} more lines", problems_ - kLabelProblemsShown);
    }
    return invalid("BAD_LABELS", fmt::format("{}\nwrite device,boot_id,inference,class, e.g. {}",
                                             said_, kExample));
  }

 private:
  void complain(size_t number, const std::string& problem) {
    if (++problems_ > kLabelProblemsShown) return;
    said_ += fmt::format("{}line {}: {}", said_.empty() ? "" : "\n", number, problem);
  }

  // What is wrong with it, or "".
  std::string read_line(std::string_view line, size_t number, bool first) {
    if (line.size() > kLineBytesMax) {
      return fmt::format("has {} bytes; at most {} are read", line.size(), kLineBytesMax);
    }
    const std::optional<std::vector<std::string>> cells = cells_of(line, separator_);
    if (!cells) return "a quote is never closed";
    const bool head = first && std::find(cells->begin(), cells->end(), kColumns[0]) != cells->end();
    if (head) return read_head(*cells);
    if (cells->size() != columns_) {
      return fmt::format("has {} cells between {}; {} are expected", cells->size(),
                         separator_ == ','   ? "commas"
                         : separator_ == ';' ? "semicolons"
                                             : "tabs",
                         columns_);
    }
    return read_cells(*cells, number);
  }

  std::string read_head(const std::vector<std::string>& cells) {
    columns_ = cells.size();
    for (size_t i = 0; i < kColumns.size(); ++i) {
      const auto found = std::find(cells.begin(), cells.end(), kColumns[i]);
      broken_head_ = found == cells.end();
      if (broken_head_) return fmt::format("names no column {}", kColumns[i]);
      place_[i] = static_cast<size_t>(found - cells.begin());
    }
    return "";
  }

  std::string read_cells(const std::vector<std::string>& cells, size_t number) {
    LabelLine label;
    label.line = number;
    label.device = cells[place_[0]];
    label.boot_id = cells[place_[1]];
    if (const Result<DeviceId> id = DeviceId::parse(label.device); !id) return id.error().message;
    const bool hexadecimal =
        label.boot_id.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    if (!hexadecimal || label.boot_id.empty() || label.boot_id.size() > kBootIdDigits) {
      const bool number_form = label.boot_id.find_first_of(".,+") != std::string::npos;
      return fmt::format(
          "boot_id {} is not 16 hex digits{}", in_quotes(label.boot_id),
          number_form ? ": a spreadsheet took it for a number; make the column a text" : "");
    }
    std::string problem = read_number("inference", cells[place_[2]], label.inference);
    if (problem.empty()) problem = read_number("class", cells[place_[3]], label.truth);
    if (problem.empty()) labels_.push_back(std::move(label));
    return problem;
  }

  char separator_ = ',';
  size_t columns_ = kColumns.size();
  bool broken_head_ = false;
  std::array<size_t, 4> place_ = {0, 1, 2, 3};
  std::vector<LabelLine> labels_;
  size_t problems_ = 0;
  std::string said_;
};

}  // namespace

Result<std::vector<LabelLine>> read_labels(std::string_view text) { return Reader().read(text); }

}  // namespace covey::cli
