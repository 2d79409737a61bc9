/* SPDX-License-Identifier: Apache-2.0 */
/* What the board's main() and its MQTT client call. One thread. */
#ifndef MINIMAL_FIRMWARE_APP_H
#define MINIMAL_FIRMWARE_APP_H

#include "covey/agent.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Once. `cause`: from the reset register. A negative COVEY_ERROR_* is a bug of the configuration or
 * broken flash. */
int app_start(covey_start_cause_t cause);

/* For ever; returns the milliseconds that the board may sleep. */
uint32_t app_step(void);

/* From the MQTT client, between two steps. */
void app_connected(void);
void app_disconnected(void);
void app_message(const char* topic, const uint8_t* payload, size_t size);

/* How to connect: false means the enrolment listener, user "enroll", the site's token. */
bool app_credentials(covey_credentials_t* credentials);

/* The features that the release's statistics list, in their order and quantised like them (for a
 * model whose input is its features: the same numbers). */
#ifndef APP_FEATURES
#define APP_FEATURES 8
#endif
typedef int16_t app_features_t[APP_FEATURES];

/* The application's own. A window of sensor values, in the model's quantisation, and its features:
 * COVEY_FEATURE_MISSING for one that a broken sensor does not give, so that the gateway sees it go
 * missing. False: no reading now. */
bool app_read_sensor(int8_t* input, size_t size, app_features_t features);

/* A free-running count of microseconds (a timer; cycles / MHz); may wrap. */
uint32_t app_now_us(void);

#ifdef __cplusplus
}
#endif

#endif
