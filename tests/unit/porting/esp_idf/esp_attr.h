/* SPDX-License-Identifier: Apache-2.0 */
/* Declarations only; see the README above. */
#ifndef STUB_ESP_ATTR_H
#define STUB_ESP_ATTR_H

#define __NOINIT_ATTR __attribute__((section(".noinit.stub")))

#endif
