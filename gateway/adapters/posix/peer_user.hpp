// SPDX-License-Identifier: Apache-2.0
// Whose process has the other end of a TCP connection over loopback. Any thread; asks the kernel
// once, without waiting for anybody.
#pragma once

#include <sys/types.h>

#include <optional>

namespace covey {

// `fd`: our end. Linux' sock_diag(7) is asked for the socket at the other end. None: it is not of
// this host, has been closed, is in another network namespace, or this kernel does not tell.
std::optional<uid_t> user_at_other_end(int fd);

// Both ends have a loopback address.
bool is_over_loopback(int fd);

}  // namespace covey
