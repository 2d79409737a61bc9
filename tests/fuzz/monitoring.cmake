# SPDX-License-Identifier: Apache-2.0
covey_fuzz(fuzz_monitoring_window SOURCES fuzz_monitoring_window.cpp DEPS covey_monitoring)
