// SPDX-License-Identifier: Apache-2.0
// Small systems of linear equations. Thread safety: pure functions.
#pragma once

#include <optional>
#include <vector>

namespace covey::monitoring {

using Matrix = std::vector<std::vector<double>>;  // square, by rows

// Gaussian elimination with the largest pivot; nullopt: singular.
std::optional<std::vector<double>> solve(Matrix matrix, std::vector<double> right);
// Norm of the matrix times that of its inverse (largest sum of a row); infinite: singular.
double condition_number(const Matrix& matrix);

}  // namespace covey::monitoring
