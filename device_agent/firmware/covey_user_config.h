/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's sizes in this firmware (device_agent/include/covey/config.h): two models, up
 * to twelve classes and eight features, and an outbox. */
#define COVEY_MODELS_MAX 2
#define COVEY_FEATURES_MAX 8
#define COVEY_CLASSES_MAX 12
#define COVEY_SAMPLES_MAX 2
#define COVEY_OUTBOX 1
#ifdef FIRMWARE_OWN_KEY /* images that speak TLS */
#define COVEY_DEVICE_KEY 1
#endif
