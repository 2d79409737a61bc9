// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/host_names.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <climits>
#include <memory>
#include <set>
#include <string_view>

namespace covey::tls {
namespace {

struct FreeInterfaces {
  void operator()(ifaddrs* first) const { freeifaddrs(first); }
};

// Empty: none that a client could use.
std::string text_of(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = nullptr;
  if (address->sa_family == AF_INET) {
    bytes = &reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
  } else if (address->sa_family == AF_INET6) {
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    if (!IN6_IS_ADDR_LINKLOCAL(&v6)) bytes = &v6;
  }
  if (bytes == nullptr ||
      inet_ntop(address->sa_family, bytes, text.data(), text.size()) == nullptr) {
    return {};
  }
  return text.data();
}

bool is_dns_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.';
  });
}

}  // namespace

std::vector<std::string> names_of_this_host() {
  std::set<std::string> names{"localhost", "127.0.0.1", "::1"};
  std::array<char, HOST_NAME_MAX + 1> host{};
  if (gethostname(host.data(), host.size() - 1) == 0 && is_dns_name(host.data())) {
    names.insert(host.data());
  }
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) == 0) {
    const std::unique_ptr<ifaddrs, FreeInterfaces> interfaces(first);
    for (const ifaddrs* one = first; one != nullptr && names.size() < kNamesMax;
         one = one->ifa_next) {
      if (one->ifa_addr == nullptr || (one->ifa_flags & IFF_UP) == 0) continue;
      if (std::string text = text_of(one->ifa_addr); !text.empty()) names.insert(std::move(text));
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace covey::tls
