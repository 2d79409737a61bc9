# SPDX-License-Identifier: Apache-2.0
# Deliberately broken gateways: the engine with some places that are another when covey_mutation
# says so (tests/sim/mutations.hpp). The units of the engine that have such a place are compiled
# once more; linked before the library, they are the ones that count.
set(mutated_sources)

# In SOURCE, where mutation NUMBER is on, TO stands for the expression FROM.
macro(covey_mutate number source from to)
  if(NOT DEFINED mutated_${source})
    file(READ ${PROJECT_SOURCE_DIR}/${source} mutated_${source})
    string(PREPEND mutated_${source} "#include \"tests/sim/mutations.hpp\"\n")
    list(APPEND mutated_sources ${source})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${source})
  endif()
  string(FIND "${mutated_${source}}" "${from}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "tests/sim/mutations.cmake: ${source} has no longer\n  ${from}")
  endif()
  string(REPLACE "${from}" "(covey_mutation == ${number} ? ${to} : ${from})" mutated_${source}
                 "${mutated_${source}}")
endmacro()

# Each is something that a liar says, believed.
covey_mutate(1 gateway/engine/fleet/restore.cpp
  "witnesses_needed(state.fleet.enrolled)" "1")
covey_mutate(2 gateway/engine/fleet/restore.cpp
  "std::min(goal_counter, add_bounded(device.goal_counter, kGoalCounterStepMax))" "goal_counter")

get_target_property(engine_units covey_engine SOURCES)
set(mutated_units)
foreach(unit ${engine_units})
  set(is_mutated FALSE)
  if(unit MATCHES "/units/")
    file(READ ${unit} text)
    foreach(source ${mutated_sources})
      if(text MATCHES "\"${source}\"")
        set(is_mutated TRUE)
        string(REPLACE "\"${source}\"" "\"mutated/${source}\"" text "${text}")
      endif()
    endforeach()
    cmake_path(GET unit FILENAME name)
    set(copy ${CMAKE_CURRENT_BINARY_DIR}/mutated/${name})
    if(is_mutated)
      file(CONFIGURE OUTPUT ${copy} CONTENT "${text}" @ONLY)
    endif()
  else()
    foreach(source ${mutated_sources})
      if(source STREQUAL "gateway/${unit}")
        set(is_mutated TRUE)
        set(copy ${CMAKE_CURRENT_BINARY_DIR}/mutated/${source})
      endif()
    endforeach()
  endif()
  if(is_mutated)
    list(APPEND mutated_units ${copy})
  endif()
endforeach()
foreach(source ${mutated_sources})
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/mutated/${source}
       CONTENT "${mutated_${source}}" @ONLY)
endforeach()

covey_test(sim_broken_gateway_test LABEL sim SOURCES broken_gateway_test.cpp ${mutated_units}
           DEPS covey_sim_world covey_agent covey_wire_limits TIMEOUT 600)
target_include_directories(sim_broken_gateway_test PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
