# SPDX-License-Identifier: Apache-2.0
# Included by cli/CMakeLists.txt: the library behind `covey model run`.
if(NOT TARGET covey_model_run)
  find_package(fmt REQUIRED)
  covey_library(covey_cli_files
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/files/files.cpp
    DEPS covey_core
    PRIVATE_DEPS fmt::fmt)
  covey_library(covey_model_run
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/model_run.cpp
    DEPS covey_core
    PRIVATE_DEPS covey_cli_files covey_host_model fmt::fmt)
endif()
