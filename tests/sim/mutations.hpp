// SPDX-License-Identifier: Apache-2.0
// Which place of the engine is broken in a test of the checkers (tests/sim/mutations.cmake); 0:
// none. Set before a world begins.
#pragma once

extern int covey_mutation;
