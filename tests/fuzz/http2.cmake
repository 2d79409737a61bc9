# SPDX-License-Identifier: Apache-2.0
covey_fuzz(fuzz_http2_guard SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_http2_guard.cpp
           DEPS covey_http2_guard)
