/* SPDX-License-Identifier: Apache-2.0 */
/* covey-bearing-dataset: writes labelled windows of many simulated devices, as features.
 *
 *   covey-bearing-dataset --machine pump --seed 7 --devices 200 --windows 10 [--params FILE]
 * [--gain 0.5]
 *
 * Without --params each row is 8 little-endian int32 raw features and the class as int32; with it,
 * 8 int8 model inputs and the class as one byte. Exit code 2 says what was wrong with the call. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/bearing_vibration/signal/features.h"
#include "examples/bearing_vibration/signal/generator.h"

typedef struct request {
  covey_bearing_machine_t machine;
  uint64_t seed;
  uint64_t devices;
  uint64_t windows;
  double gain;
  const char* params_path; /* NULL: raw features */
} request_t;

static int usage(const char* what) {
  fprintf(stderr,
          "covey-bearing-dataset: %s\n"
          "usage: covey-bearing-dataset --machine pump|fan|press --seed N --devices N --windows N "
          "[--params FILE] [--gain FACTOR]\n",
          what);
  return 2;
}

static bool parse_count(const char* text, uint64_t max, uint64_t* value) {
  char* end = NULL;
  errno = 0;
  const unsigned long long parsed = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || parsed > max) return false;
  *value = parsed;
  return true;
}

static int parse_arguments(int argc, char** argv, request_t* request) {
  bool has_machine = false;
  for (int i = 1; i + 1 < argc; i += 2) {
    const char* name = argv[i];
    const char* value = argv[i + 1];
    if (strcmp(name, "--machine") == 0) {
      if (!covey_bearing_machine_from_name(value, &request->machine)) {
        return usage("--machine is not pump, fan or press");
      }
      has_machine = true;
    } else if (strcmp(name, "--seed") == 0) {
      if (!parse_count(value, UINT64_MAX, &request->seed)) return usage("--seed is not a number");
    } else if (strcmp(name, "--devices") == 0) {
      if (!parse_count(value, 1000000, &request->devices)) {
        return usage("--devices is not a number up to 1000000");
      }
    } else if (strcmp(name, "--windows") == 0) {
      if (!parse_count(value, 1000000, &request->windows)) {
        return usage("--windows is not a number up to 1000000");
      }
    } else if (strcmp(name, "--params") == 0) {
      request->params_path = value;
    } else if (strcmp(name, "--gain") == 0) {
      char* end = NULL;
      request->gain = strtod(value, &end);
      if (end == value || *end != '\0') return usage("--gain is not a number");
    } else {
      return usage("an option is unknown");
    }
  }
  if (argc % 2 == 0) return usage("the last option has no value");
  if (!has_machine) return usage("--machine is missing");
  return 0;
}

static int read_params(const char* path, covey_bearing_params_t* params) {
  uint8_t blob[COVEY_BEARING_PARAMS_SIZE + 1]; /* one more, to notice what is left over */
  FILE* file = fopen(path, "rb");
  if (file == NULL) return usage("--params cannot be opened");
  const size_t size = fread(blob, 1, sizeof blob, file);
  fclose(file);
  const covey_bearing_status_t status = covey_bearing_params_parse(blob, size, params);
  return status == COVEY_BEARING_OK ? 0 : usage(covey_bearing_status_text(status));
}

static void put_i32(int32_t value, uint8_t* out) {
  const uint32_t bits = (uint32_t)value;
  for (int i = 0; i < 4; i++) out[i] = (uint8_t)(bits >> (8 * i));
}

static bool write_row(const request_t* request, const covey_bearing_params_t* params,
                      covey_bearing_device_t* device) {
  int16_t samples[COVEY_BEARING_WINDOW];
  uint8_t row[4 * (COVEY_BEARING_FEATURES + 1)];
  const covey_bearing_class_t truth = covey_bearing_next_window(device, samples);
  int32_t raw[COVEY_BEARING_FEATURES];
  if (covey_bearing_features_raw(samples, COVEY_BEARING_WINDOW, raw) != COVEY_BEARING_OK) {
    return false;
  }
  size_t size = 0;
  if (request->params_path == NULL) {
    for (size_t i = 0; i < COVEY_BEARING_FEATURES; i++) put_i32(raw[i], row + 4 * i);
    put_i32((int32_t)truth, row + 4 * COVEY_BEARING_FEATURES);
    size = sizeof row;
  } else {
    for (size_t i = 0; i < COVEY_BEARING_FEATURES; i++) {
      row[i] = (uint8_t)covey_bearing_scale(&params->feature[i], raw[i]);
    }
    row[COVEY_BEARING_FEATURES] = (uint8_t)truth;
    size = COVEY_BEARING_FEATURES + 1;
  }
  return fwrite(row, 1, size, stdout) == size;
}

int main(int argc, char** argv) {
  request_t request = {.seed = 1, .devices = 1, .windows = 1, .gain = 1, .params_path = NULL};
  covey_bearing_params_t params;
  const int refused = parse_arguments(argc, argv, &request);
  if (refused != 0) return refused;
  memset(&params, 0, sizeof params);
  if (request.params_path != NULL && read_params(request.params_path, &params) != 0) return 2;

  for (uint64_t d = 0; d < request.devices; d++) {
    covey_bearing_device_t device;
    const uint64_t stream = d * COVEY_BEARING_MACHINES + (uint64_t)request.machine;
    covey_bearing_device_init(&device, covey_bearing_mix(request.seed, stream), request.machine);
    covey_bearing_set_gain_factor(&device, request.gain);
    for (uint64_t w = 0; w < request.windows; w++) {
      if (!write_row(&request, &params, &device)) {
        fprintf(stderr, "covey-bearing-dataset: cannot write to standard output\n");
        return 1;
      }
    }
  }
  return fflush(stdout) == 0 ? 0 : 1;
}
