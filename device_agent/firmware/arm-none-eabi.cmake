# SPDX-License-Identifier: Apache-2.0
# Debian's gcc-arm-none-eabi and newlib; -DCOVEY_CPU=cortex-m0plus for another core.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(COVEY_CPU cortex-m4 CACHE STRING "of the image")
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES COVEY_CPU)
set(CMAKE_C_FLAGS_INIT "-mcpu=${COVEY_CPU} -mthumb -ffunction-sections -fdata-sections")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-nostartfiles -specs=nano.specs -Wl,--gc-sections")
