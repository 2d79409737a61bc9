#include "device_agent/runtimes/reference/reference_runtime.h"
#include "runtime.h"

const covey_runtime_t* firmware_runtime(void) {
  static covey_reference_t reference;
  static covey_runtime_t runtime;
  covey_reference_init(&reference);
  runtime = covey_reference_runtime(&reference);
  return &runtime;
}
