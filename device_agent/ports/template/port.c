/* Fill in from the top: flash first, then crypto, store and link. Until then every function says
 * that it cannot, so that nothing half done can be taken for a port. */
#include <string.h>

#include "covey/error.h"
#include "covey/port_template.h"

enum { NOT_YET = -1 }; /* numbers of yours are shown by the gateway as port_code */

/* ---- Flash. The geometry is in the part's data sheet. */

#define FLASH_BYTES (256U * 1024U) /* the region that models and journal may use */
#define ERASE_UNIT_BYTES 2048U     /* "page" or "sector" */
#define WRITE_ALIGN_BYTES 8U       /* "double word": smallest unit that can be programmed */
#define ERASED_VALUE 0xffU

/* Where the processor sees the region; a linker symbol in a real port. */
static const uint8_t flash_region[FLASH_BYTES];

static int flash_read(void* ctx, uint32_t offset, void* into, size_t size) {
  (void)ctx;
  /* Memory-mapped flash: a copy. Parts with ECC: report a double error here (many signal it by an
   * NMI or a bus fault, whose handler sets a flag that this function looks at). */
  memcpy(into, &flash_region[offset], size);
  return 0;
}

static int flash_write(void* ctx, uint32_t offset, const void* from, size_t size) {
  (void)ctx;
  (void)offset;
  (void)from;
  (void)size;
  /* Unlock; program WRITE_ALIGN_BYTES at a time; wait for the end of each; look at the error flags;
   * lock. Interrupts whose code is in the same bank wait meanwhile. */
  return NOT_YET;
}

static int flash_erase(void* ctx, uint32_t offset) {
  (void)ctx;
  (void)offset;
  /* One unit. Feed the watchdog if an erase can take longer than it allows. Invalidate caches. */
  return NOT_YET;
}

/* ---- Crypto. PSA, Mbed TLS, a secure element, or the part's hash unit. */

static void hash_begin(void* ctx, covey_hash_t* hash) {
  (void)ctx;
  /* The state of a SHA-256 goes into *hash (128 bytes): mbedtls_sha256_context fits, a
   * psa_hash_operation_t may not be abandoned and so does not. */
  memset(hash, 0, sizeof *hash);
}

static void hash_update(void* ctx, covey_hash_t* hash, const void* bytes, size_t size) {
  (void)ctx;
  (void)hash;
  (void)bytes;
  (void)size;
}

static void hash_finish(void* ctx, covey_hash_t* hash, uint8_t digest[COVEY_DIGEST_BYTES]) {
  (void)ctx;
  (void)hash;
  memset(digest, 0, COVEY_DIGEST_BYTES);
}

static int verify(void* ctx, const covey_public_key_t* key,
                  const uint8_t digest[COVEY_DIGEST_BYTES],
                  const uint8_t signature[COVEY_SIGNATURE_BYTES]) {
  (void)ctx;
  (void)key;
  (void)digest;
  (void)signature;
  /* ES256: key->key is the uncompressed point (65 bytes), the signature r | s (32 bytes each). */
  return NOT_YET;
}

static int mac(void* ctx, const uint8_t key[COVEY_ORDER_KEY_BYTES], const covey_bytes_t* parts,
               size_t count, uint8_t out[COVEY_DIGEST_BYTES]) {
  (void)ctx;
  (void)key;
  (void)parts;
  (void)count;
  (void)out;
  return NOT_YET;
}

static int draw_random(void* ctx, void* into, size_t size) {
  (void)ctx;
  (void)into;
  (void)size;
  /* The hardware generator, or a DRBG seeded by it; never rand(). */
  return NOT_YET;
}

/* ---- Store: up to COVEY_STORE_BYTES_MAX bytes that are replaced as a whole. */

static int store_read(void* ctx, uint8_t* into, size_t capacity) {
  (void)ctx;
  (void)into;
  (void)capacity;
  return NOT_YET; /* 0 when there is no record */
}

static int store_write(void* ctx, const uint8_t* from, size_t size) {
  (void)ctx;
  (void)from;
  (void)size;
  return NOT_YET;
}

/* ---- Link: queue for the MQTT client, never wait. */

static int publish(void* ctx, const char* topic, const uint8_t* payload, size_t size, uint8_t qos) {
  (void)ctx;
  (void)topic;
  (void)payload;
  (void)size;
  (void)qos;
  return COVEY_ERROR_AGAIN; /* no room now: asked again a little later */
}

static int subscribe(void* ctx, const char* topic, uint8_t qos) {
  (void)ctx;
  (void)topic;
  (void)qos;
  return COVEY_ERROR_AGAIN;
}

static int unsubscribe(void* ctx, const char* topic) {
  (void)ctx;
  (void)topic;
  return COVEY_ERROR_AGAIN;
}

covey_port_t covey_template_port(void) {
  covey_port_t port;
  memset(&port, 0, sizeof port);
  port.flash.size_bytes = FLASH_BYTES;
  port.flash.erase_unit_bytes = ERASE_UNIT_BYTES;
  port.flash.write_align_bytes = WRITE_ALIGN_BYTES;
  port.flash.erased_value = ERASED_VALUE;
  port.flash.xip_base = flash_region;
  port.flash.read = flash_read;
  port.flash.write = flash_write;
  port.flash.erase = flash_erase;
  port.crypto.hash_begin = hash_begin;
  port.crypto.hash_update = hash_update;
  port.crypto.hash_finish = hash_finish;
  port.crypto.verify = verify;
  port.crypto.mac = mac;
  port.crypto.random = draw_random;
  port.store.read = store_read;
  port.store.write = store_write;
  port.link.publish = publish;
  port.link.subscribe = subscribe;
  port.link.unsubscribe = unsubscribe;
  /* port.lock and port.unlock: only if covey_agent_record_inference is called from an ISR or
   * another thread than poll; then disable and restore interrupts. */
  return port;
}
