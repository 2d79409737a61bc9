if(TARGET covey_config)
  covey_fuzz(fuzz_config SOURCES fuzz_config.cpp DEPS covey_config)
endif()
