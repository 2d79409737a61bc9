# SPDX-License-Identifier: Apache-2.0
if(TARGET covey_agent_bench)
  foreach(name fuzz_agent_receive fuzz_agent_flash fuzz_agent_outbox fuzz_agent_root
          fuzz_agent_wire)
    covey_fuzz(${name} SOURCES ${CMAKE_CURRENT_LIST_DIR}/${name}.cpp
      DEPS covey_agent_bench covey_core)
  endforeach()
endif()
