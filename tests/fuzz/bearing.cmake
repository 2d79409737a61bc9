# SPDX-License-Identifier: Apache-2.0
covey_fuzz(fuzz_bearing_features SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_bearing_features.cpp
           DEPS covey_bearing)
