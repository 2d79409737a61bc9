/* SPDX-License-Identifier: Apache-2.0 */
#include "stack_watch.h"

#include "board.h"
#include "log.h"

static stack_part_t running;
static size_t deepest[STACK_PARTS];
static covey_crypto_t inner;

stack_part_t stack_watch_enter(stack_part_t part) {
  const stack_part_t before = running;
  const size_t used = board_stack_mark();
  running = part;
  if (used > deepest[before]) {
    deepest[before] = used;
    log_line("stack: agent %u, crypto %u, runtime %u", (unsigned)deepest[STACK_AGENT],
             (unsigned)deepest[STACK_CRYPTO], (unsigned)deepest[STACK_RUNTIME]);
    (void)board_stack_mark(); /* the line is not theirs */
  }
  return before;
}

static void hash_begin(void* ctx, covey_hash_t* hash) {
  const stack_part_t caller = stack_watch_enter(STACK_CRYPTO);
  inner.hash_begin(ctx, hash);
  (void)stack_watch_enter(caller);
}

static void hash_update(void* ctx, covey_hash_t* hash, const void* bytes, size_t size) {
  const stack_part_t caller = stack_watch_enter(STACK_CRYPTO);
  inner.hash_update(ctx, hash, bytes, size);
  (void)stack_watch_enter(caller);
}

static void hash_finish(void* ctx, covey_hash_t* hash, uint8_t digest[COVEY_DIGEST_BYTES]) {
  const stack_part_t caller = stack_watch_enter(STACK_CRYPTO);
  inner.hash_finish(ctx, hash, digest);
  (void)stack_watch_enter(caller);
}

static int verify(void* ctx, const covey_public_key_t* key,
                  const uint8_t digest[COVEY_DIGEST_BYTES],
                  const uint8_t signature[COVEY_SIGNATURE_BYTES]) {
  const stack_part_t caller = stack_watch_enter(STACK_CRYPTO);
  const int error = inner.verify(ctx, key, digest, signature);
  (void)stack_watch_enter(caller);
  return error;
}

static int mac(void* ctx, const uint8_t key[COVEY_ORDER_KEY_BYTES], const covey_bytes_t* parts,
               size_t count, uint8_t out[COVEY_DIGEST_BYTES]) {
  const stack_part_t caller = stack_watch_enter(STACK_CRYPTO);
  const int error = inner.mac(ctx, key, parts, count, out);
  (void)stack_watch_enter(caller);
  return error;
}

static int random_bytes(void* ctx, void* into, size_t size) {
  const stack_part_t caller = stack_watch_enter(STACK_CRYPTO);
  const int error = inner.random(ctx, into, size);
  (void)stack_watch_enter(caller);
  return error;
}

void stack_watch_crypto(covey_crypto_t* crypto) {
  inner = *crypto;
  crypto->hash_begin = hash_begin;
  crypto->hash_update = hash_update;
  crypto->hash_finish = hash_finish;
  crypto->verify = verify;
  crypto->mac = mac;
  crypto->random = random_bytes;
  (void)board_stack_mark(); /* what ran before, at the bench, is not watched */
}
