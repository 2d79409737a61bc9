# SPDX-License-Identifier: Apache-2.0
cmake_minimum_required(VERSION 3.25)
# examples/minimal_firmware by its Makefile and its CMakeLists.txt, from a copy in which neither
# folder has its name. Fails with what the tools say.
file(REMOVE_RECURSE ${FOLDER})
file(COPY ${SOURCE}/examples/minimal_firmware/ DESTINATION ${FOLDER}/product)
foreach(part include src ports/template ports/psa ports/flash_store runtimes/reference)
  file(COPY ${SOURCE}/device_agent/${part}/ DESTINATION ${FOLDER}/vendor/agent-1.0/${part})
endforeach()

function(run)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${FOLDER}/product
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0 OR output MATCHES "warning:")
    message(FATAL_ERROR "${ARGN}: ${result}\n${output}")
  endif()
endfunction()

find_program(make NAMES gmake make REQUIRED)
run(${make} -j2 AGENT=../vendor/agent-1.0 CC=${CC} CFLAGS=-O0)
run(${CMAKE_COMMAND} -B build-cmake -DCMAKE_C_COMPILER=${CC} -DCMAKE_C_FLAGS=-O0
    -DCOVEY_AGENT=../vendor/agent-1.0)
run(${CMAKE_COMMAND} --build build-cmake -j2)
foreach(library build/libminimal_firmware.a build-cmake/libminimal_firmware.a)
  if(NOT EXISTS ${FOLDER}/product/${library})
    message(FATAL_ERROR "no ${library}")
  endif()
endforeach()
file(REMOVE_RECURSE ${FOLDER})
