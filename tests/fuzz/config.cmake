# SPDX-License-Identifier: Apache-2.0
if(TARGET covey_config)
  covey_fuzz(fuzz_config SOURCES fuzz_config.cpp DEPS covey_config)
endif()
# The adapter itself needs Paho, which fuzz builds leave out.
covey_fuzz(fuzz_topics
  SOURCES fuzz_topics.cpp ${PROJECT_SOURCE_DIR}/gateway/adapters/mqtt/topics.cpp DEPS covey_deploy)
