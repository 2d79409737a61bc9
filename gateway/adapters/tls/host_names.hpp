// SPDX-License-Identifier: Apache-2.0
// Names and addresses by which this machine may be reached. Any thread; asks no name server.
#pragma once

#include <string>
#include <vector>

namespace covey::tls {

// The host's name, `localhost` and the addresses of its interfaces that are up, loopback included;
// without link-local ones, which differ from link to link. Sorted; kNamesMax at most.
std::vector<std::string> names_of_this_host();

inline constexpr size_t kNamesMax = 64;  // in a certificate: devices have to read it

}  // namespace covey::tls
