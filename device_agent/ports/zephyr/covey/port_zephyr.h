/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's port on Zephyr (3.4 and later): flash by the flash map, the identity in that same
 * partition, crypto by PSA (ports/psa), the link over Zephyr's MQTT library, start cause by hwinfo.
 *
 *   static covey_zephyr_t zephyr;
 *   covey_zephyr_open(&zephyr, FIXED_PARTITION_ID(covey_partition), &client);
 *   config.port = &zephyr.port;            // and from evt_cb: covey_zephyr_event(&zephyr, agent,
 * evt)
 *
 * Thread: one thread calls the agent, mqtt_input() and mqtt_live(). The client's evt_cb must find
 * the covey_zephyr_t, e.g. by the client's user_data.
 * Not tried on hardware: this was compiled against headers of the API only. */
#ifndef COVEY_PORT_ZEPHYR_H
#define COVEY_PORT_ZEPHYR_H

#include <zephyr/net/mqtt.h>
#include <zephyr/storage/flash_map.h>

#include "covey/agent.h"
#include "covey/flash_store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the partition begins with; journal and slots follow. */
#define COVEY_ZEPHYR_IDENTITY_UNITS 2

typedef struct covey_zephyr {
  covey_port_t port;
  const struct flash_area* area;
  covey_flash_store_t identity;
  struct mqtt_client* client;
  uint16_t message_id;
  unsigned int irq_key;
} covey_zephyr_t;

/* Opens the partition, whose pages must be of one size and, for models, mapped into memory
 * (the SoC's own flash). Errors: FLASH_GEOMETRY, FLASH_READ, CRYPTO, or the flash map's errno. */
int covey_zephyr_open(covey_zephyr_t* zephyr, uint8_t partition, struct mqtt_client* client);

/* Call from the client's evt_cb with every event: connection and messages go to the agent, QoS 1 is
 * acknowledged. Poll the agent afterwards. */
void covey_zephyr_event(covey_zephyr_t* zephyr, covey_agent_t* agent, const struct mqtt_evt* event);

/* Why the processor started, by hwinfo, which is cleared. */
covey_start_cause_t covey_zephyr_start_cause(void);

/* In memory that a reset leaves alone, for covey_agent_config_t.retained. */
covey_retained_t* covey_zephyr_retained(void);

#ifdef __cplusplus
}
#endif

#endif
