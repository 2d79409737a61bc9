/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime.h"

#include "device_agent/runtimes/reference/reference_runtime.h"

const covey_runtime_t* firmware_runtime(size_t model) {
  static covey_reference_t references[COVEY_MODELS_MAX];
  static covey_runtime_t runtimes[COVEY_MODELS_MAX];
  covey_reference_init(&references[model]);
  runtimes[model] = covey_reference_runtime(&references[model]);
  return &runtimes[model];
}

void firmware_watch(covey_crypto_t* crypto) { (void)crypto; }
