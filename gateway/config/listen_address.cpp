// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

#include "gateway/config/config.hpp"

namespace covey::config {
namespace {

Error bad_address(std::string_view text) {
  return invalid("BAD_LISTEN_ADDRESS",
                 fmt::format("'{}' is not an address and a port, such as 127.0.0.1:7070 or [::1]:0",
                             text.substr(0, 80)));
}

bool is_v4(const std::string& host) {
  in_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1;
}

bool is_v6(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.find('\0') != std::string_view::npos) {
    return bad_address(text);
  }
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  ListenAddress address{std::string(host), 0};
  if (bracketed ? !is_v6(address.host) : !is_v4(address.host)) return bad_address(text);
  const auto [end, failure] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (failure != std::errc() || end != port.data() + port.size()) return bad_address(text);
  return address;
}

std::string to_string(const ListenAddress& address) {
  if (address.host.find(':') != std::string::npos) {
    return fmt::format("[{}]:{}", address.host, address.port);
  }
  return fmt::format("{}:{}", address.host, address.port);
}

std::string ip_literal(std::string_view host) {
  return host == "localhost" ? "127.0.0.1" : std::string(host);
}

bool is_address(std::string_view host) {
  const std::string literal = ip_literal(host);
  return is_v4(literal) || is_v6(literal);
}

bool is_loopback(std::string_view host) {
  const std::string literal = ip_literal(host);
  in6_addr v6{};
  return (::inet_pton(AF_INET6, literal.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6)) ||
         (is_v4(literal) && literal.starts_with("127."));
}

bool speaks_tls(const Config& config, std::string_view host) {
  switch (config.tls.plaintext) {
    case Plaintext::kNever:
      return true;
    case Plaintext::kLoopback:
      return !is_loopback(host);
    case Plaintext::kAnywhere:
      return false;
  }
  return true;
}

}  // namespace covey::config
