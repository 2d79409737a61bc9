# SPDX-License-Identifier: Apache-2.0
if(TARGET covey_plan_file)
  covey_fuzz(fuzz_plan_file SOURCES fuzz_plan_file.cpp DEPS covey_plan_file)
endif()
if(TARGET covey_label_file)
  covey_fuzz(fuzz_label_file SOURCES fuzz_label_file.cpp DEPS covey_label_file)
endif()
