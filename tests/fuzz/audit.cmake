# SPDX-License-Identifier: Apache-2.0
if(TARGET covey_audit_file)
  covey_fuzz(fuzz_audit_file SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_audit_file.cpp
             DEPS covey_audit_file)
endif()
