/* SPDX-License-Identifier: Apache-2.0 */
#include "examples/bearing_vibration/signal/generator.h"

#include <float.h>

#if FLT_EVAL_METHOD != 0
#error "the generator needs plain IEEE doubles: on x86 use SSE2, not the x87"
#endif

/* No libm below: the C library picks its sin and exp by the processor it finds, and their last
 * bits differ. Additions and multiplications are the same everywhere. */

static const double kTwoPi = 6.283185307179586;
enum {
  kSettle = 64
}; /* samples before a window, so that the housing already rings when it starts */

/* sin(2 pi x) for x in [0, 1), by the Taylor series to the 11th order: error below 1e-7. */
static double sine_of_turns(double x) {
  double t = 0.5 - x; /* sin(2 pi x) = sin(2 pi (0.5 - x)) */
  if (t > 0.25) t = 0.5 - t;
  if (t < -0.25) t = -0.5 - t;
  const double y = kTwoPi * t;
  const double z = y * y;
  return y * (1 + z * (-1.0 / 6 +
                       z * (1.0 / 120 + z * (-1.0 / 5040 + z * (1.0 / 362880 - z / 39916800)))));
}

static double cosine_of_turns(double x) { return sine_of_turns(x < 0.75 ? x + 0.25 : x - 0.75); }

static double clamped(double x, double low, double high) {
  if (!(x > low)) return low; /* also what is not a number */
  return x < high ? x : high;
}

/* --- oscillators ------------------------------------------------------------------------------ */

typedef struct tone {
  double amplitude;
  double phase; /* turns, [0, 1) */
  double step;
} tone_t;

static double tone_next(tone_t* tone) {
  const double value = tone->amplitude * sine_of_turns(tone->phase);
  tone->phase += tone->step;
  if (tone->phase >= 1) tone->phase -= 1;
  return value;
}

/* The housing: a two-pole resonance; an impulse of 1 rings with a first peak near 1. */
typedef struct resonator {
  double input_gain;
  double c1, c2;
  double y1, y2;
} resonator_t;

static resonator_t resonator_at(double hz, double damping) {
  const double turns = hz / COVEY_BEARING_SAMPLE_HZ;
  const double d = kTwoPi * turns * damping;
  const double r = 1 / (1 + d + d * d / 2); /* exp(-d) */
  return (resonator_t){
      .input_gain = sine_of_turns(turns), .c1 = 2 * r * cosine_of_turns(turns), .c2 = -r * r};
}

static double resonator_next(resonator_t* resonator, double x) {
  const double y =
      resonator->input_gain * x + resonator->c1 * resonator->y1 + resonator->c2 * resonator->y2;
  resonator->y2 = resonator->y1;
  resonator->y1 = y;
  return y;
}

/* --- impacts ---------------------------------------------------------------------------------- */

/* A train of impacts: a rolling element that passes a defect, or the strokes of a press. */
typedef struct train {
  double amplitude; /* 0: no train */
  double period;    /* samples */
  double jitter;    /* slip: deviation of one period, relative */
  double spread;    /* deviation of one amplitude, relative */
  double next;      /* when the next impact falls, samples from now */
  double carry;     /* the part of the last impact that belongs to the next sample */
} train_t;

static train_t train_at(covey_bearing_random_t* world, double hz, double amplitude, double jitter,
                        double spread) {
  const double phase = covey_bearing_random_uniform(world);
  if (hz <= 0 || amplitude <= 0) return (train_t){.amplitude = 0};
  const double period = COVEY_BEARING_SAMPLE_HZ / hz;
  return (train_t){.amplitude = amplitude,
                   .period = period,
                   .jitter = jitter,
                   .spread = spread,
                   .next = phase * period};
}

static double train_next(train_t* train, covey_bearing_random_t* world, double modulation) {
  if (train->amplitude <= 0) return 0;
  double value = train->carry;
  train->carry = 0;
  if (train->next < 1) {
    const double hit = train->amplitude * modulation *
                       clamped(1 + train->spread * covey_bearing_random_bell(world), 0, 4);
    value += hit * (1 - train->next); /* between two samples: shared by both */
    train->carry = hit * train->next;
    train->next +=
        train->period * clamped(1 + train->jitter * covey_bearing_random_bell(world), 0.1, 4);
  }
  train->next -= 1;
  return value;
}

/* --- one window of the world ------------------------------------------------------------------ */

typedef struct scene {
  tone_t harmonics[COVEY_BEARING_HARMONICS];
  tone_t pass; /* vanes or blades */
  tone_t shaft;
  resonator_t housing;
  train_t defect;
  train_t ball; /* secondary damage: balls that run over a damaged race get marks of their own */
  train_t stroke;
  double zone; /* how much the load zone modulates the defect, 0 .. 1 */
  double noise;
  double excitation;
} scene_t;

static scene_t scene_of(covey_bearing_device_t* device) {
  const covey_bearing_physics_t* m = covey_bearing_physics_of(device->machine);
  covey_bearing_random_t* world = &device->world;
  const double hz =
      m->shaft_hz * device->unit_speed * (1 + 0.01 * covey_bearing_random_bell(world));
  const double load = 0.85 + 0.3 * covey_bearing_random_uniform(world);
  const double severity = 0.9 + 0.8 * covey_bearing_random_uniform(world);
  const double step = hz / COVEY_BEARING_SAMPLE_HZ;

  scene_t scene = {.noise = m->noise * load, .excitation = m->excitation * load};
  for (int h = 0; h < COVEY_BEARING_HARMONICS; h++) {
    const double wander = clamped(1 + 0.2 * covey_bearing_random_bell(world), 0.2, 3);
    scene.harmonics[h] = (tone_t){.amplitude = m->harmonic[h] * wander,
                                  .phase = covey_bearing_random_uniform(world),
                                  .step = (h + 1) * step};
  }
  scene.pass = (tone_t){.amplitude = m->tone * load,
                        .phase = covey_bearing_random_uniform(world),
                        .step = m->tone_order * step};
  scene.shaft =
      (tone_t){.amplitude = 1, .phase = covey_bearing_random_uniform(world), .step = step};
  scene.housing = resonator_at(m->resonance_hz * device->unit_resonance, m->damping);

  /* Kinematics of a bearing whose outer ring stands still: pass rates over the outer and the inner
   * race, and the rate at which a mark on a ball meets either race. */
  const double n = m->rolling_elements;
  const double ratio = m->diameter_ratio;
  const double outer_hz = hz * n / 2 * (1 - ratio);
  const double inner_hz = hz * n / 2 * (1 + ratio);
  const double ball_hz = hz / ratio * (1 - ratio * ratio);

  double defect_hz = 0;
  double impact = 0;
  switch (device->class_id) {
    case COVEY_BEARING_NORMAL:
      break;
    case COVEY_BEARING_OUTER_RACE:
      defect_hz = outer_hz; /* stays in the load zone: every pass hits alike */
      impact = m->impact * severity * load;
      break;
    case COVEY_BEARING_INNER_RACE:
      defect_hz = inner_hz; /* turns through the load zone once a revolution */
      impact = 1.25 * m->impact * severity * load;
      scene.zone = 0.7;
      break;
    case COVEY_BEARING_UNBALANCE:
      scene.harmonics[0].amplitude += m->unbalance * severity;
      break;
  }
  scene.defect = train_at(world, defect_hz, impact, 0.012, 0.12);
  scene.ball = train_at(world, ball_hz, 0.1 * impact, 0.03, 0.3);
  scene.stroke = train_at(world, m->stroke_hz, m->stroke * load, 0.5, 0.5);
  return scene;
}

static double scene_next(scene_t* scene, covey_bearing_random_t* world) {
  double vibration = scene->noise * covey_bearing_random_bell(world) + tone_next(&scene->pass);
  for (int h = 0; h < COVEY_BEARING_HARMONICS; h++) vibration += tone_next(&scene->harmonics[h]);

  const double towards_load = (1 + tone_next(&scene->shaft)) / 2;
  const double modulation = 1 - scene->zone * (1 - towards_load * towards_load);
  const double push = scene->excitation * covey_bearing_random_bell(world) +
                      train_next(&scene->defect, world, modulation) +
                      train_next(&scene->ball, world, 1) + train_next(&scene->stroke, world, 1);
  return vibration + resonator_next(&scene->housing, push);
}

/* --- the sensor ------------------------------------------------------------------------------- */

static int16_t digitised(double lsb) {
  const double bounded = clamped(lsb, -32767, 32767);
  return (int16_t)(bounded < 0 ? bounded - 0.5 : bounded + 0.5); /* the conversion truncates */
}

static covey_bearing_class_t drawn_class(double uniform) {
  double below = 0;
  for (int i = 0; i < COVEY_BEARING_CLASSES - 1; i++) {
    below += covey_bearing_class_percent[i] / 100.0;
    if (uniform < below) return (covey_bearing_class_t)i;
  }
  return (covey_bearing_class_t)(COVEY_BEARING_CLASSES - 1);
}

void covey_bearing_device_init(covey_bearing_device_t* device, uint64_t seed,
                               covey_bearing_machine_t machine) {
  covey_bearing_random_t unit;
  covey_bearing_random_init(&unit, covey_bearing_mix(seed, 0));
  *device = (covey_bearing_device_t){.machine = machine, .gain_factor = 1, .class_dwell = 1};
  device->unit_gain = 1 + 0.03 * covey_bearing_random_bell(&unit);
  device->unit_noise = 12 * (1 + 0.1 * covey_bearing_random_bell(&unit));
  device->unit_resonance = 1 + 0.02 * covey_bearing_random_bell(&unit);
  device->unit_speed = 1 + 0.01 * covey_bearing_random_bell(&unit);
  covey_bearing_random_init(&device->classes, covey_bearing_mix(seed, 1));
  covey_bearing_random_init(&device->world, covey_bearing_mix(seed, 2));
  covey_bearing_random_init(&device->disturbance, covey_bearing_mix(seed, 3));
  device->class_id = drawn_class(covey_bearing_random_uniform(&device->classes));
}

void covey_bearing_set_machine(covey_bearing_device_t* device, covey_bearing_machine_t machine) {
  device->machine = machine;
}

void covey_bearing_set_gain_factor(covey_bearing_device_t* device, double factor) {
  device->gain_factor = clamped(factor, 0, 16);
}

void covey_bearing_set_added_noise(covey_bearing_device_t* device, double lsb) {
  device->added_noise = clamped(lsb, 0, 32767);
}

void covey_bearing_set_stuck(covey_bearing_device_t* device, bool stuck) { device->stuck = stuck; }

void covey_bearing_set_class_dwell(covey_bearing_device_t* device, int windows) {
  device->class_dwell = windows < 1 ? 1 : windows;
}

covey_bearing_class_t covey_bearing_next_window(covey_bearing_device_t* device,
                                                int16_t samples[COVEY_BEARING_WINDOW]) {
  /* Both numbers are drawn every time: the stream stays in step whatever the dwell. */
  const double change = covey_bearing_random_uniform(&device->classes);
  const double fresh = covey_bearing_random_uniform(&device->classes);
  if (change * device->class_dwell < 1) device->class_id = drawn_class(fresh);

  /* The next window's world starts from a stream of its own, so that windows stay the same when a
   * machine type that draws more or less numbers is switched in between. */
  covey_bearing_random_t next_world;
  covey_bearing_random_init(&next_world, covey_bearing_random_next(&device->world));
  scene_t scene = scene_of(device);

  const double gain = device->unit_gain * device->gain_factor;
  for (int i = -kSettle; i < COVEY_BEARING_WINDOW; i++) {
    const double world = scene_next(&scene, &device->world);
    if (i < 0) continue;
    double lsb = gain * world + device->unit_noise * covey_bearing_random_bell(&device->world);
    if (device->added_noise > 0) {
      lsb += device->added_noise * covey_bearing_random_bell(&device->disturbance);
    }
    samples[i] = device->stuck ? device->last_sample : digitised(lsb);
  }
  device->last_sample = samples[COVEY_BEARING_WINDOW - 1];
  device->world = next_world;
  return device->class_id;
}
