// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/tokens.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace covey::api {

access::Token token_of(const TokenRecord& record) {
  return {.name = record.name,
          .hash = record.hash,
          .grant = {access::parse_role(record.role).value_or(access::Role::kNone),
                    parted(record.models)},
          .expires = record.expire_wall};
}

std::string joined(const std::vector<std::string>& globs) {
  return fmt::format("{}", fmt::join(globs, " "));
}

std::vector<std::string> parted(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

}  // namespace covey::api
