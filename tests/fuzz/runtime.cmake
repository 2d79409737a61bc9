# SPDX-License-Identifier: Apache-2.0
if(TARGET covey_tflite_builder) # not in a build of another part
  covey_fuzz(fuzz_tflite_runtime SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_tflite_runtime.cpp
             DEPS covey_core covey_reference_runtime)
  covey_fuzz(fuzz_tflite_inspect SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_tflite_inspect.cpp
             DEPS covey_tflite)

  # Run by hand when operator_models() change; what it writes is committed.
  add_executable(fuzz_tflite_corpus EXCLUDE_FROM_ALL
    ${CMAKE_CURRENT_LIST_DIR}/fuzz_tflite_corpus.cpp)
  target_link_libraries(fuzz_tflite_corpus PRIVATE covey_tflite_builder covey_warnings)
endif()
