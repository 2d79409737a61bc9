# SPDX-License-Identifier: Apache-2.0
covey_fuzz(fuzz_mqtt_receive SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_mqtt_receive.cpp
           DEPS covey_mqtt)
