// SPDX-License-Identifier: Apache-2.0
// What libraries say by themselves becomes lines of our log (`library name=... text=...`), and with
// it whatever anybody writes to stderr. Call once, before any of them is used. Main thread.
#pragma once

namespace covey {

void take_library_logs();

}  // namespace covey
