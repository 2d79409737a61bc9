# SPDX-License-Identifier: Apache-2.0
if(TARGET covey_access)
  covey_fuzz(fuzz_jwt SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_jwt.cpp DEPS covey_access)
  covey_fuzz(fuzz_access_file SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_access_file.cpp
             DEPS covey_access)
endif()
