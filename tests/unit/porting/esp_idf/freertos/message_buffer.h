/* SPDX-License-Identifier: Apache-2.0 */
/* Declarations only; see the README above. */
#ifndef STUB_FREERTOS_MESSAGE_BUFFER_H
#define STUB_FREERTOS_MESSAGE_BUFFER_H

#include <stddef.h>

#include "freertos/FreeRTOS.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stub_message_buffer* MessageBufferHandle_t;
MessageBufferHandle_t xMessageBufferCreate(size_t buffer_size_bytes);
size_t xMessageBufferSend(MessageBufferHandle_t buffer, const void* data, size_t size,
                          TickType_t ticks);
size_t xMessageBufferReceive(MessageBufferHandle_t buffer, void* data, size_t size,
                             TickType_t ticks);

#ifdef __cplusplus
}
#endif

#endif
