// SPDX-License-Identifier: Apache-2.0
// What is wrong with a list of devices that somebody registers, each with its row and field: of
// what can't be read (gateway/api) and of what can't be taken (registration.cpp) in the same words.
// A value.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "core/limits.hpp"
#include "core/result.hpp"

namespace covey::engine {

class RegistrationFaults {
 public:
  void add(size_t row, std::string_view field, std::string_view text) {
    if (++count_ > kRegistrationErrorsShown) return;
    if (!text_.empty()) text_ += "\n";
    text_ += fmt::format("devices[{}].{}: {}", row, field, text);
  }
  // Errors: BAD_REGISTRATIONS with the first of them.
  Status status() const {
    if (count_ == 0) return {};
    std::string text = text_;
    if (count_ > kRegistrationErrorsShown) {
      text += fmt::format("\nand {} more", count_ - kRegistrationErrorsShown);
    }
    return invalid("BAD_REGISTRATIONS", text + "\nnothing was changed");
  }

 private:
  std::string text_;
  size_t count_ = 0;
};

}  // namespace covey::engine
