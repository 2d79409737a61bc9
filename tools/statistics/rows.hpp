// SPDX-License-Identifier: Apache-2.0
// Cases whose inputs are columns of `expected.rows`, and names that carry a number.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/statistics/case.hpp"

namespace covey::cases {

class Columns {
 public:
  explicit Columns(const Value& names);
  size_t size() const { return names_.size(); }
  size_t index(const std::string& name) const;
  Value of(const Value& row, const std::string& name) const { return row.at(index(name)); }

 private:
  std::vector<std::string> names_;
  Value value_;
};

// The rows of `expected`, each with what `compute` puts in place of its results. A row has an entry
// more than there are columns, at least where `compute` writes one.
Found found_rows(const Case& c, const std::function<void(const Value& row, Json& got)>& compute);

// 20 of cdf_at_20; 0.5 and 3 of what is between other words.
double number_in(const Value& where, const std::string& name, std::string_view prefix);

}  // namespace covey::cases
