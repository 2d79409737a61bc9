// SPDX-License-Identifier: Apache-2.0
// <sys/pidfd.h> of glibc 2.36 forgets that C++ needs extern "C".
#pragma once

extern "C" {
#include <sys/pidfd.h>
}
