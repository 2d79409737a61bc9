/* SPDX-License-Identifier: Apache-2.0 */
/* Machine types, their bearings and the fault classes of the bearing-vibration example.
 *
 * Pure tables and name look-ups: thread-safe, no state. Frequencies are in Hz, amplitudes in LSB
 * of the accelerometer at nominal sensor gain. */
#ifndef COVEY_BEARING_MACHINE_H
#define COVEY_BEARING_MACHINE_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The numbers are the model's output indices and are written into data sets: append only. */
typedef enum covey_bearing_class {
  COVEY_BEARING_NORMAL = 0,
  COVEY_BEARING_OUTER_RACE = 1,
  COVEY_BEARING_INNER_RACE = 2,
  COVEY_BEARING_UNBALANCE = 3
} covey_bearing_class_t;
#define COVEY_BEARING_CLASSES 4

typedef enum covey_bearing_machine {
  COVEY_BEARING_PUMP = 0,
  COVEY_BEARING_FAN = 1,
  COVEY_BEARING_PRESS = 2
} covey_bearing_machine_t;
#define COVEY_BEARING_MACHINES 3

/* Static strings: "normal", "outer-race", "inner-race", "unbalance"; "pump", "fan", "press". */
const char* covey_bearing_class_name(covey_bearing_class_t class_id);
const char* covey_bearing_machine_name(covey_bearing_machine_t machine);
/* False, and *machine unchanged, when the name is none of the above. */
bool covey_bearing_machine_from_name(const char* name, covey_bearing_machine_t* machine);

/* Percent of windows that show each class, in the data sets and in a healthy fleet alike, so that
 * a healthy fleet shows no drift against validation. Sums to 100. */
extern const int covey_bearing_class_percent[COVEY_BEARING_CLASSES];

#define COVEY_BEARING_HARMONICS 3

/* What makes one machine type sound different from another. */
typedef struct covey_bearing_physics {
  double shaft_hz;
  int rolling_elements;
  double diameter_ratio; /* (ball diameter / pitch diameter) * cos(contact angle) */
  double resonance_hz;   /* housing resonance that impacts ring */
  double damping;        /* of that resonance, share of critical damping */
  double harmonic[COVEY_BEARING_HARMONICS]; /* residual unbalance, misalignment, ...: 1x, 2x, 3x */
  int tone_order;                           /* vane or blade pass: multiple of the shaft */
  double tone;                              /* its amplitude */
  double noise;                             /* broad-band background, standard deviation */
  double excitation;                        /* flow or friction noise that rings the housing */
  double stroke_hz;                         /* mean rate of process impacts, 0: none */
  double stroke;                            /* their mean amplitude */
  double impact;                            /* amplitude of a fault impact at severity 1 */
  double unbalance;                         /* added 1x amplitude at severity 1 */
} covey_bearing_physics_t;

const covey_bearing_physics_t* covey_bearing_physics_of(covey_bearing_machine_t machine);

#ifdef __cplusplus
}
#endif
#endif
