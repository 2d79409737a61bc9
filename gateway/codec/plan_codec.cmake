# SPDX-License-Identifier: Apache-2.0
# Rollout plans between the API and the domain: needs the API's messages.
if(COVEY_ADAPTERS)
  find_package(fmt REQUIRED)
  covey_library(covey_plan_codec COLD
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/plan_codec.cpp
    DEPS covey_deploy covey_proto_api
    PRIVATE_DEPS fmt::fmt)
endif()
