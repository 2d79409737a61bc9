/* SPDX-License-Identifier: Apache-2.0 */
/* The device's side of one connection: enrolment and the identity it gives, subscriptions, hello,
 * status, and what the gateway acknowledges. Tells what all other rooms hold; decides nothing about
 * models. */
#ifndef COVEY_SRC_SESSION_H
#define COVEY_SRC_SESSION_H

#include "../core/core.h"
#include "../wire/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- session.c */
void covey_session_step(covey_agent_t* a);
/* Nothing of a connection is left. */
void covey_session_disconnected(covey_agent_t* a);
int covey_session_site(covey_agent_t* a, covey_bytes_t message);

/* ---- ack.c */
int covey_ack_receive(covey_agent_t* a, covey_bytes_t message);

/* ---- identity.c */
/* The identity from the port's store; where there is none, a factory-new one. Errors: STORE,
 * CRYPTO, NOT_ENROLLED (without enrolment). */
int covey_identity_load(covey_agent_t* a);

/* ---- enroll.c */
#if COVEY_ENROLMENT
int covey_enroll_receive(covey_agent_t* a, covey_bytes_t message);
#else
static inline int covey_enroll_receive(covey_agent_t* a, covey_bytes_t message) {
  (void)a;
  (void)message;
  return COVEY_OK;
}
#endif

/* ---- certificate.c */
#if COVEY_DEVICE_KEY
int covey_certificate_receive(covey_agent_t* a, covey_bytes_t message);
#endif

/* ---- root.c */
#if COVEY_ROOT
int covey_root_receive(covey_agent_t* a, covey_bytes_t message);
#endif

#ifdef __cplusplus
}
#endif

#endif
