// SPDX-License-Identifier: Apache-2.0
#include "monitoring/statistics/linear.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace covey::monitoring {
namespace {

double row_norm(const Matrix& matrix) {
  double norm = 0;
  for (const auto& row : matrix) {
    double sum = 0;
    for (const double cell : row) sum += std::abs(cell);
    norm = std::max(norm, sum);
  }
  return norm;
}

}  // namespace

std::optional<std::vector<double>> solve(Matrix matrix, std::vector<double> right) {
  const size_t n = right.size();
  for (size_t column = 0; column < n; ++column) {
    size_t pivot = column;
    for (size_t row = column + 1; row < n; ++row) {
      if (std::abs(matrix[row][column]) > std::abs(matrix[pivot][column])) pivot = row;
    }
    if (!(std::abs(matrix[pivot][column]) > 0)) return std::nullopt;
    std::swap(matrix[pivot], matrix[column]);
    std::swap(right[pivot], right[column]);
    for (size_t row = column + 1; row < n; ++row) {
      const double factor = matrix[row][column] / matrix[column][column];
      if (factor == 0) continue;
      for (size_t k = column; k < n; ++k) matrix[row][k] -= factor * matrix[column][k];
      right[row] -= factor * right[column];
    }
  }
  for (size_t row = n; row-- > 0;) {
    for (size_t k = row + 1; k < n; ++k) right[row] -= matrix[row][k] * right[k];
    right[row] /= matrix[row][row];
  }
  return right;
}

double condition_number(const Matrix& matrix) {
  const size_t n = matrix.size();
  Matrix inverse(n, std::vector<double>(n));
  for (size_t column = 0; column < n; ++column) {
    std::vector<double> unit(n, 0.0);
    unit[column] = 1;
    const auto solved = solve(matrix, unit);
    if (!solved) return std::numeric_limits<double>::infinity();
    for (size_t row = 0; row < n; ++row) inverse[row][column] = (*solved)[row];
  }
  return row_norm(matrix) * row_norm(inverse);
}

}  // namespace covey::monitoring
