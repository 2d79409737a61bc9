// SPDX-License-Identifier: Apache-2.0
#include "gateway/config/site_keys.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "gateway/config/key_kinds.hpp"

namespace covey::config {
namespace {

constexpr size_t kNamesMax = 64;

}  // namespace

std::string canonical_name(std::string_view text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  std::array<char, INET6_ADDRSTRLEN> address{};
  std::string name(text);
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, name.c_str(), bytes.data()) == 1 &&
        inet_ntop(family, bytes.data(), address.data(), address.size()) != nullptr) {
      return address.data();
    }
  }
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const bool plain =
      !name.empty() && name.size() <= 253 && name.front() != '.' &&
      std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
      });
  return plain ? name : std::string();
}

Key site_name_key() {
  Key key = text_key(
      "site.name", "name", 63, [](Config& c) -> std::string& { return c.site.name; },
      "Name of this site in output and metrics.");
  key.limit = "1 to 63 of a-z 0-9 . -";
  key.read = [](Config& config, std::string_view text) -> Status {
    const bool valid =
        !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
        });
    if (!valid) return bad_value(text, "a site name: 1 to 63 of a-z 0-9 . -");
    config.site.name = std::string(text);
    return {};
  };
  return key;
}

Key site_names_key() {
  Key key;
  key.path = "site.names";
  key.type = "names";
  key.limit = fmt::format("at most {} names and addresses, with commas between", kNamesMax);
  key.help =
      "Names and addresses of this gateway that devices know it by, for its certificate; without: "
      "the host's name and the addresses of its interfaces.";
  key.read = [](Config& config, std::string_view text) -> Status {
    std::set<std::string> names;
    while (!text.empty()) {
      const size_t comma = std::min(text.find(','), text.size());
      std::string_view one = text.substr(0, comma);
      text.remove_prefix(std::min(comma + 1, text.size()));
      while (one.starts_with(' ')) one.remove_prefix(1);
      while (one.ends_with(' ')) one.remove_suffix(1);
      std::string name = canonical_name(one);
      if (name.empty()) return bad_value(one, "a DNS name (without *) or an IP address");
      names.insert(std::move(name));
    }
    if (names.size() > kNamesMax) {
      return invalid("BAD_VALUE", fmt::format("{} names, at most {} fit into a certificate that "
                                              "devices can read",
                                              names.size(), kNamesMax));
    }
    config.site.names.assign(names.begin(), names.end());
    return {};
  };
  key.write = [](const Config& config) {
    return fmt::format("{}", fmt::join(config.site.names, ", "));
  };
  return key;
}

std::vector<Key> site_secret_keys() {
  std::vector<Key> keys;
  keys.push_back(text_key(
      "site.key_file", "path", 4096, [](Config & c) -> auto& { return c.site.key_file; },
      "File with the key (64 hex digits) that the site's secrets are encrypted with in the "
      "database; without: `site.key` in the data directory, made by the first start."));
  Key key = text_key(
      "site.key", "text", 64, [](Config & c) -> auto& { return c.site.key; },
      "The key itself; environment only, wins over the file.");
  key.secret = true;
  keys.push_back(std::move(key));
  keys.push_back(text_key(
      "site.previous_key_file", "path", 4096,
      [](Config & c) -> auto& { return c.site.previous_key_file; },
      "After the key was replaced: file of the one before. A start that has both encrypts the "
      "secrets anew; then it is needed no more."));
  return keys;
}

}  // namespace covey::config
