/* A port to begin with: copy this folder, rename, and fill in port.c function by function. What
 * each must do is in covey/port.h; covey_port_selftest() names the first one that does not yet. */
#ifndef COVEY_PORT_TEMPLATE_H
#define COVEY_PORT_TEMPLATE_H

#include "covey/port.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Must outlive the agent. */
covey_port_t covey_template_port(void);

#ifdef __cplusplus
}
#endif

#endif
