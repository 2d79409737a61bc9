# SPDX-License-Identifier: Apache-2.0
# device_agent as an ESP-IDF component: put (or link) this folder into a project's components/, or
# name it in EXTRA_COMPONENT_DIRS. Sizes: COVEY_USER_CONFIG, see include/covey/config.h.
file(GLOB covey_sources ${CMAKE_CURRENT_LIST_DIR}/../../src/*/*.c
  ${CMAKE_CURRENT_LIST_DIR}/../../runtimes/reference/*.c)
idf_component_register(
  SRCS ${covey_sources} ports/flash_store/flash_store.c ports/psa/psa.c
       ports/psa/psa_device_key.c
    ports/esp_idf/port_esp_idf.c
  INCLUDE_DIRS include ports/flash_store ports/psa ports/esp_idf runtimes/reference
  REQUIRES mqtt esp_partition mbedtls
  PRIV_REQUIRES esp_timer)
