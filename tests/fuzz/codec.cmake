# SPDX-License-Identifier: Apache-2.0
if(TARGET covey_codec)
  covey_fuzz(fuzz_device_codec SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_device_codec.cpp
             DEPS covey_codec)
endif()
