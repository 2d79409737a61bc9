/* SPDX-License-Identifier: Apache-2.0 */
/* The unit's own key, made at its first start, and the certificate that the site gives it: each a
 * record in flash. For images that speak TLS.
 *
 * What a real board must do otherwise: keep the key where no debugger reads it, or in a secure
 * element that never tells it.
 *
 * Thread: the main loop. */
#ifndef COVEY_FIRMWARE_OWN_KEY_H
#define COVEY_FIRMWARE_OWN_KEY_H

#include <stdbool.h>

#include "covey/port_psa.h"

/* Two stores of two erase units each: the key at `key_offset`, the certificate at the other.
 * `certificate`: whether the unit asks for one. Errors: of the stores; CRYPTO. */
int own_key_open(const covey_flash_t* flash, uint32_t key_offset, uint32_t certificate_offset,
                 bool certificate);

/* For covey_port_t; valid after own_key_open. */
const covey_device_key_t* own_key_port(void);

/* The private key, for TLS: 32 bytes, big-endian. */
const uint8_t* own_key_scalar(void);

/* The newest certificate, DER. Its size, 0: there is none. */
size_t own_key_certificate(const uint8_t** der);

#endif
