// SPDX-License-Identifier: Apache-2.0
// The kinds of value that a key of the configuration can have. Each maker takes the key's path, its
// limits, an accessor `[](Config& c) -> auto& { return c.x.y; }` and its help text.
//
// Thread safety: pure. Private to schema.cpp.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/config/schema.hpp"
#include "gateway/config/site_keys.hpp"

namespace covey::config {

inline Error bad_value(std::string_view text, std::string_view expected) {
  return invalid("BAD_VALUE", fmt::format("'{}' is not {}", text.substr(0, 80), expected));
}

template <typename Field>
Key number_key(std::string path, std::string type, uint64_t low, uint64_t high, Field field,
               std::string help) {
  Key key;
  key.path = std::move(path);
  key.type = std::move(type);
  key.limit = fmt::format("{} to {}", low, high);
  key.help = std::move(help);
  key.read = [low, high, field](Config& config, std::string_view text) -> Status {
    uint64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc() || end != text.data() + text.size() || value < low || value > high) {
      return bad_value(text, fmt::format("a whole number from {} to {}", low, high));
    }
    auto& target = field(config);
    target = static_cast<std::remove_reference_t<decltype(target)>>(value);
    return {};
  };
  key.write = [field](const Config& config) {
    return fmt::to_string(field(const_cast<Config&>(config)));
  };
  return key;
}

template <typename Field>
Key duration_key(std::string path, Millis low, Millis high, Field field, std::string help) {
  Key key;
  key.path = std::move(path);
  key.type = "duration";
  key.limit = fmt::format("{} to {}", covey::to_string(low), covey::to_string(high));
  key.help = std::move(help);
  key.read = [low, high, field](Config& config, std::string_view text) -> Status {
    const Result<Millis> value = parse_duration(text);
    if (!value) return value.error();
    if (*value < low || *value > high) {
      return bad_value(text,
                       fmt::format("from {} to {}", covey::to_string(low), covey::to_string(high)));
    }
    field(config) = *value;
    return {};
  };
  key.write = [field](const Config& config) {
    return covey::to_string(field(const_cast<Config&>(config)));
  };
  return key;
}

template <typename Field>
Key ratio_key(std::string path, Field field, std::string help) {
  Key key;
  key.path = std::move(path);
  key.type = "ratio";
  key.limit = "above 0, at most 100%";
  key.help = std::move(help);
  key.read = [field](Config& config, std::string_view text) -> Status {
    const Result<Ratio> value = parse_ratio(text);
    if (!value) return value.error();
    if (value->ppm <= 0) return bad_value(text, "above 0");
    field(config) = *value;
    return {};
  };
  key.write = [field](const Config& config) {
    return covey::to_string(field(const_cast<Config&>(config)));
  };
  return key;
}

template <typename Field>
Key bool_key(std::string path, Field field, std::string help) {
  Key key;
  key.path = std::move(path);
  key.type = "true or false";
  key.help = std::move(help);
  key.read = [field](Config& config, std::string_view text) -> Status {
    if (text != "true" && text != "false") return bad_value(text, "true or false");
    field(config) = text == "true";
    return {};
  };
  key.write = [field](const Config& config) -> std::string {
    return field(const_cast<Config&>(config)) ? "true" : "false";
  };
  return key;
}

template <typename Field>
Key text_key(std::string path, std::string type, size_t length_max, Field field, std::string help) {
  Key key;
  key.path = std::move(path);
  key.type = std::move(type);
  key.limit = fmt::format("at most {} bytes", length_max);
  key.help = std::move(help);
  key.read = [length_max, field](Config& config, std::string_view text) -> Status {
    const bool control = std::any_of(text.begin(), text.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
    if (text.size() > length_max || control) {
      return bad_value(
          text, fmt::format("text of at most {} bytes without control characters", length_max));
    }
    field(config) = std::string(text);
    return {};
  };
  key.write = [field](const Config& config) -> std::string {
    return field(const_cast<Config&>(config));
  };
  return key;
}

template <typename Enum, size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

template <typename Enum, size_t N, typename Field>
Key choice_key(std::string path, const Names<Enum, N>& names, Field field, std::string help) {
  std::string choices;
  for (const auto& [value, name] : names) {
    if (!choices.empty()) choices += ", ";
    choices += name;
  }
  Key key;
  key.path = std::move(path);
  key.type = "one of " + choices;
  key.help = std::move(help);
  key.read = [&names, choices, field](Config& config, std::string_view text) -> Status {
    for (const auto& [value, name] : names) {
      if (name == text) {
        field(config) = value;
        return {};
      }
    }
    return bad_value(text, "one of " + choices);
  };
  key.write = [&names, field](const Config& config) -> std::string {
    for (const auto& [value, name] : names) {
      if (value == field(const_cast<Config&>(config))) return std::string(name);
    }
    return {};
  };
  return key;
}

// One of a few words, kept as it is.
template <typename Field>
Key word_key(std::string path, std::vector<std::string> words, Field field, std::string help) {
  const std::string choices = fmt::format("{}", fmt::join(words, ", "));
  Key key;
  key.path = std::move(path);
  key.type = "one of " + choices;
  key.help = std::move(help);
  key.read = [words = std::move(words), choices, field](Config& config,
                                                        std::string_view text) -> Status {
    if (std::find(words.begin(), words.end(), text) == words.end()) {
      return bad_value(text, "one of " + choices);
    }
    field(config) = std::string(text);
    return {};
  };
  key.write = [field](const Config& config) -> std::string {
    return field(const_cast<Config&>(config));
  };
  return key;
}

template <typename Field>
Key listen_key(std::string path, Field field, std::string help) {
  Key key;
  key.path = std::move(path);
  key.type = "address:port";
  key.limit = "an IP address; port 0: any free one";
  key.help = std::move(help);
  key.read = [field](Config& config, std::string_view text) -> Status {
    const Result<ListenAddress> address = parse_listen_address(text);
    if (!address) return address.error();
    field(config) = *address;
    return {};
  };
  key.write = [field](const Config& config) -> std::string {
    return to_string(field(const_cast<Config&>(config)));
  };
  return key;
}

// The address of listeners that may be anywhere.
template <typename Field>
Key address_key(std::string path, Field field, std::string help) {
  Key key = text_key(std::move(path), "address", 253, field, std::move(help));
  key.limit = "an IP address, or localhost";
  key.read = [field](Config& config, std::string_view text) -> Status {
    if (!is_address(text)) return bad_value(text, "an IP address, or localhost");
    field(config) = std::string(text);
    return {};
  };
  return key;
}

// A host to connect to.
template <typename Field>
Key host_key(std::string path, Field field, std::string help) {
  Key key = text_key(std::move(path), "host", 253, field, std::move(help));
  key.limit = "a DNS name or an IP address";
  key.read = [field](Config& config, std::string_view text) -> Status {
    std::string name = canonical_name(text);
    if (name.empty()) return bad_value(text, "a DNS name or an IP address");
    field(config) = std::move(name);
    return {};
  };
  return key;
}

}  // namespace covey::config
