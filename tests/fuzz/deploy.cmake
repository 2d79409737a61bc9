# SPDX-License-Identifier: Apache-2.0
if(TARGET covey_deploy)
  covey_fuzz(fuzz_filter SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_filter.cpp DEPS covey_deploy)
  covey_fuzz(fuzz_gateway_part SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_gateway_part.cpp
             DEPS covey_deploy)
  covey_fuzz(fuzz_key SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_key.cpp DEPS covey_deploy)
  covey_fuzz(fuzz_manifest SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_manifest.cpp DEPS covey_deploy)
  covey_fuzz(fuzz_root SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_root.cpp DEPS covey_deploy)
  covey_fuzz(fuzz_plan SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_plan.cpp DEPS covey_deploy)
endif()
