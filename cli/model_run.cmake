# Included by cli/CMakeLists.txt: the library behind `covey model run`.
if(NOT TARGET covey_model_run)
  covey_library(covey_model_run
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/model_run.cpp
    DEPS covey_core
    PRIVATE_DEPS covey_reference_runtime covey_tflite)
endif()
