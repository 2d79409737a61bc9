# SPDX-License-Identifier: Apache-2.0
# Settings and the few functions that every folder's CMakeLists.txt uses.
include_guard(GLOBAL)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 99)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(COVEY_SANITIZE "" CACHE STRING "Sanitizers, comma separated, e.g. address,undefined or thread")
option(COVEY_UNITY "Compile C++ sources of a target together, several in one unit" ON)
set(COVEY_BATCH 16 CACHE STRING "How many files a unit includes at most")
option(COVEY_FUZZ "Build the libFuzzer targets (clang only)" OFF)
option(COVEY_ADAPTERS "Build what needs gRPC, MQTT and HTTP: coveyd, covey, covey-sim" ON)

find_program(COVEY_CCACHE ccache)
if(COVEY_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${COVEY_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${COVEY_CCACHE})
endif()
find_program(COVEY_MOLD mold)
if(COVEY_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_link_options(-fuse-ld=mold)
endif()

add_library(covey_warnings INTERFACE)
# Designated initializers leave out what keeps its default: that is what they are for.
target_compile_options(covey_warnings INTERFACE -Wall -Wextra -Wconversion -Wshadow -Werror
                       $<$<COMPILE_LANGUAGE:CXX>:-Wno-missing-field-initializers>)
# It takes every file but the unit itself for a header, where an anonymous namespace would be wrong.
if(COVEY_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(covey_warnings INTERFACE
                         $<$<COMPILE_LANGUAGE:CXX>:-Wno-subobject-linkage>)
endif()

# What ships is hardened (tools/dev/hardening.py looks at the programs after a release build).
# Sanitizers bring their own checks, firmware its own flags.
if(NOT COVEY_SANITIZE AND NOT COVEY_FUZZ AND NOT CMAKE_CROSSCOMPILING)
  add_compile_options("$<$<CONFIG:Release>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>"
                      "$<$<CONFIG:Release>:-fstack-protector-strong;-fstack-clash-protection>"
                      "$<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:CXX>>:-D_GLIBCXX_ASSERTIONS>")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
    add_compile_options("$<$<CONFIG:Release>:-fcf-protection=full>")
  endif()
  add_link_options("$<$<CONFIG:Release>:-Wl,-z,relro;-Wl,-z,now;-Wl,-z,noexecstack>")
endif()

if(COVEY_SANITIZE)
  add_compile_options(-fsanitize=${COVEY_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${COVEY_SANITIZE})
endif()
if(COVEY_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
endif()

# covey_unit(OUT NAME TOP FILES... [LOCAL_NAMES ...]): one source that includes FILES, written as
# seen from TOP. Without COVEY_UNITY, or for a single file, OUT is FILES. The text is the same in
# every worktree, so that ccache finds it (CMake's own UNITY_BUILD writes absolute paths).
# LOCAL_NAMES are static in each of the files and get a number.
function(covey_unit out name top)
  cmake_parse_arguments(ARG "" "" "LOCAL_NAMES" ${ARGN})
  set(files ${ARG_UNPARSED_ARGUMENTS})
  list(LENGTH files count)
  if(NOT COVEY_UNITY OR count LESS 2)
    set(${out} ${files} PARENT_SCOPE)
    return()
  endif()
  set(text "// Generated: see covey_unit in cmake/covey.cmake.\n")
  string(APPEND text "// NOLINTBEGIN(bugprone-suspicious-include)\n")
  set(made)
  set(number 0)
  foreach(file ${files})
    cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    cmake_path(RELATIVE_PATH file BASE_DIRECTORY ${top} OUTPUT_VARIABLE seen)
    math(EXPR number "${number} + 1")
    foreach(local ${ARG_LOCAL_NAMES})
      string(APPEND text "#undef ${local}\n#define ${local} ${local}_${number}\n")
    endforeach()
    string(APPEND text "#include \"${seen}\"\n")
    if(file MATCHES "^${CMAKE_BINARY_DIR}")
      list(APPEND made ${file})
    endif()
  endforeach()
  string(APPEND text "// NOLINTEND(bugprone-suspicious-include)\n")
  set(unit ${CMAKE_CURRENT_BINARY_DIR}/units/${name}.cpp)
  file(CONFIGURE OUTPUT ${unit} CONTENT "${text}" @ONLY)
  if(made)
    set_source_files_properties(${unit} PROPERTIES OBJECT_DEPENDS "${made}")
  endif()
  set(${out} ${unit} PARENT_SCOPE)
endfunction()

# covey_units(OUT NAME SOURCES...): the sources of target NAME with its C++ files replaced by units
# of up to COVEY_BATCH of them. What several files include is then read once: most of what a
# compiler does here is reading headers. Names in anonymous namespaces have to differ in a unit.
function(covey_units out name)
  set(files ${ARGN})
  list(FILTER files INCLUDE REGEX "\\.cpp$")
  list(FILTER files EXCLUDE REGEX "^${CMAKE_BINARY_DIR}") # generated ones stay apart
  set(result ${ARGN})
  list(REMOVE_ITEM result ${files})
  list(LENGTH files count)
  # Units of equal size: the last isn't a single file.
  math(EXPR number "(${count} + ${COVEY_BATCH} - 1) / ${COVEY_BATCH}")
  set(begin 0)
  set(index 0)
  while(begin LESS count)
    math(EXPR index "${index} + 1")
    math(EXPR end "${count} * ${index} / ${number}")
    math(EXPR size "${end} - ${begin}")
    list(SUBLIST files ${begin} ${size} batch)
    covey_unit(unit ${name}_${index} ${PROJECT_SOURCE_DIR} ${batch})
    list(APPEND result ${unit})
    set(begin ${end})
  endwhile()
  set(${out} ${result} PARENT_SCOPE)
endfunction()

# covey_library(NAME SOURCES a.cpp ... [DEPS lib ...] [PRIVATE_DEPS lib ...] [COLD])
# COLD: no report and no tick passes through it, so a release optimises it less (-O1).
# A static library whose headers are included as "folder/file.hpp" from the top of the tree.
function(covey_library name)
  cmake_parse_arguments(ARG "COLD" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  if(ARG_SOURCES)
    covey_units(units ${name} ${ARG_SOURCES})
    add_library(${name} STATIC ${units})
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE covey_warnings ${ARG_PRIVATE_DEPS})
    if(ARG_COLD)
      target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
    endif()
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${name} INTERFACE ${ARG_DEPS})
  endif()
endfunction()

# covey_program(NAME SOURCES a.cpp ... DEPS lib ... [COLD]): an executable in bin/ that knows its
# version.
function(covey_program name)
  cmake_parse_arguments(ARG "COLD" "" "SOURCES;DEPS" ${ARGN})
  covey_units(units ${name} ${ARG_SOURCES})
  add_executable(${name} ${units})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(${name} PRIVATE COVEY_VERSION="${PROJECT_VERSION}")
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} covey_warnings)
  if(ARG_COLD)
    target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
endfunction()

# covey_test(NAME LABEL unit|scenario|sim|integration|e2e|long SOURCES ... DEPS ... [TIMEOUT s])
# One GoogleTest executable, one ctest entry; the label decides when `dev` runs it (long: only in
# ./dev test --all). tests/paths.hpp says where files of the tree and of the build are.
function(covey_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  covey_units(units ${name} ${ARG_SOURCES})
  find_package(GTest REQUIRED)
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(NOT TARGET covey_test_paths)
    add_library(covey_test_paths STATIC ${PROJECT_SOURCE_DIR}/tests/paths.cpp)
    target_include_directories(covey_test_paths PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(covey_test_paths PRIVATE covey_warnings)
    target_compile_definitions(covey_test_paths PRIVATE COVEY_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                               COVEY_BINARY_DIR="${CMAKE_BINARY_DIR}")
  endif()
  add_executable(${name} ${units})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} covey_warnings covey_test_paths GTest::gtest
                        GTest::gtest_main)
  # Optimising what runs once takes longer than running it.
  if(NOT ARG_LABEL STREQUAL "sim")
    target_compile_options(${name} PRIVATE $<$<CONFIG:Debug>:-O0>)
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
  if(NOT TARGET covey_tests_${ARG_LABEL})
    add_custom_target(covey_tests_${ARG_LABEL})
  endif()
  add_dependencies(covey_tests_${ARG_LABEL} ${name})
endfunction()

# covey_fuzz(NAME SOURCES ... DEPS ...): a fuzz target; its corpus is tests/fuzz/corpus/NAME. With
# COVEY_FUZZ a libFuzzer program, for ./dev fuzz; with the address sanitizer a program that replays
# the corpus, and one ctest entry (label fuzz).
function(covey_fuzz name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  if(NOT COVEY_FUZZ AND NOT COVEY_SANITIZE MATCHES address)
    return()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} covey_warnings)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  if(NOT TARGET covey_fuzzers)
    add_custom_target(covey_fuzzers)
  endif()
  add_dependencies(covey_fuzzers ${name})
  if(COVEY_FUZZ)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    return()
  endif()
  if(NOT TARGET covey_fuzz_replay)
    add_library(covey_fuzz_replay OBJECT ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.cpp)
    target_link_libraries(covey_fuzz_replay PRIVATE covey_warnings)
  endif()
  target_link_libraries(${name} PRIVATE covey_fuzz_replay)
  add_test(NAME ${name} COMMAND ${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()
