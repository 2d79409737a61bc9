/* SPDX-License-Identifier: Apache-2.0 */
/* The device's own key in its enrolment: alone, or in a request for a certificate (PKCS#10, RFC
 * 2986), in DER, whose every length follows from the length of the id. */
#include "parts.h"

#if COVEY_DEVICE_KEY

/* ---- DER, forward: what comes is known to fit (COVEY_OWN_REQUEST_BYTES_MAX). */

enum { SEQUENCE = 0x30, SET = 0x31, INTEGER = 0x02, BIT_STRING = 0x03, UTF8_STRING = 0x0c };

static uint8_t* put_header(uint8_t* at, unsigned tag, size_t size) {
  *at++ = (uint8_t)tag;
  if (size >= 256) {
    *at++ = 0x82;
    *at++ = (uint8_t)(size >> 8);
  } else if (size >= 128) {
    *at++ = 0x81;
  }
  *at++ = (uint8_t)size;
  return at;
}

static size_t header_size(size_t size) {
  if (size < 128) return 2;
  return size < 256 ? 3 : 4;
}

static uint8_t* put(uint8_t* at, const void* bytes, size_t size) {
  covey_bytes_copy(at, bytes, size);
  return at + size;
}

/* A number of 32 bytes, as short as it can be (X.690, section 8.3). */
static uint8_t* put_number(uint8_t* at, const uint8_t* number) {
  size_t size = 32;
  while (size > 1 && *number == 0) {
    ++number;
    --size;
  }
  at = put_header(at, INTEGER, size + (*number >> 7));
  if ((*number & 0x80) != 0) *at++ = 0;
  return put(at, number, size);
}

/* version 0; and after the subject: SubjectPublicKeyInfo of a point of P-256 (RFC 5480), and no
 * attributes; ecdsa-with-SHA256 (RFC 5758). */
static const uint8_t version[] = {0x02, 0x01, 0x00};
static const uint8_t common_name[] = {0x06, 0x03, 0x55, 0x04, 0x03};
static const uint8_t key_info[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                   0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                   0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
static const uint8_t attributes[] = {0xa0, 0x00};
static const uint8_t algorithm[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                    0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

/* CertificationRequestInfo. */
static uint8_t* put_info(uint8_t* at, const char* id, const uint8_t point[COVEY_POINT_BYTES]) {
  const size_t name = strlen(id);
  const size_t attribute = sizeof common_name + 2 + name;
  const size_t subject = attribute + 4; /* a SEQUENCE in a SET */
  at = put_header(
      at, SEQUENCE,
      sizeof version + 2 + subject + sizeof key_info + COVEY_POINT_BYTES + sizeof attributes);
  at = put(at, version, sizeof version);
  at = put_header(at, SEQUENCE, subject);
  at = put_header(at, SET, attribute + 2);
  at = put_header(at, SEQUENCE, attribute);
  at = put(at, common_name, sizeof common_name);
  at = put_header(at, UTF8_STRING, name);
  at = put(at, id, name);
  at = put(at, key_info, sizeof key_info);
  at = put(at, point, COVEY_POINT_BYTES);
  return put(at, attributes, sizeof attributes);
}

static uint8_t* put_signature(uint8_t* at, const uint8_t signature[COVEY_SIGNATURE_BYTES]) {
  uint8_t* const begun = at;
  uint8_t* end;
  at += 5; /* for BIT STRING, no unused bits, SEQUENCE */
  end = put_number(put_number(at, signature), signature + 32);
  (void)put_header(begun, BIT_STRING, (size_t)(end - begun) - 2);
  begun[2] = 0;
  (void)put_header(begun + 3, SEQUENCE, (size_t)(end - at));
  return end;
}

/* The outer header is put last, right before the rest. */
enum { ROOM = 4 };
static int make_request(const covey_agent_t* a, const uint8_t point[COVEY_POINT_BYTES],
                        uint8_t* scratch, covey_bytes_t* request) {
  const covey_crypto_t* crypto = &covey_core_port(a)->crypto;
  const covey_device_key_t* key = covey_parts_own_key(a);
  uint8_t digest[COVEY_DIGEST_BYTES];
  uint8_t signature[COVEY_SIGNATURE_BYTES];
  covey_hash_t hash;
  uint8_t* const info = scratch + ROOM;
  uint8_t* at = put_info(info, a->config->device_id, point);
  size_t size;
  uint8_t* begun;
  crypto->hash_begin(crypto->ctx, &hash);
  crypto->hash_update(crypto->ctx, &hash, info, (size_t)(at - info));
  crypto->hash_finish(crypto->ctx, &hash, digest);
  if (key->sign(key->ctx, digest, signature) != 0) return COVEY_ERROR_CRYPTO;
  at = put_signature(put(at, algorithm, sizeof algorithm), signature);
  size = (size_t)(at - info);
  begun = info - header_size(size);
  (void)put_header(begun, SEQUENCE, size);
  request->bytes = begun;
  request->size = size + header_size(size);
  return COVEY_OK;
}

int covey_request_write(const covey_agent_t* a, covey_writer_t* w) {
  const covey_device_key_t* key = covey_parts_own_key(a);
  uint8_t point[COVEY_POINT_BYTES];
  uint8_t scratch[ROOM + COVEY_OWN_REQUEST_BYTES_MAX];
  covey_bytes_t request;
  int error;
  if (key == NULL) return COVEY_OK;
#if COVEY_MANUFACTURER_CERTIFICATE_BYTES > 0
  if (key->manufacturer_certificate != NULL) {
    if (key->manufacturer_certificate_size > COVEY_MANUFACTURER_CERTIFICATE_BYTES) {
      return COVEY_ERROR_CONFIG;
    }
    covey_write_bytes(w, 8, key->manufacturer_certificate, key->manufacturer_certificate_size);
    covey_write_uint(w, 9, key->certificate != NULL);
    return COVEY_OK;
  }
#endif
  if (key->public_key(key->ctx, point) != 0) return COVEY_ERROR_CRYPTO;
  if (key->certificate == NULL) {
    covey_write_bytes(w, 5, point, sizeof point);
    return COVEY_OK;
  }
  error = make_request(a, point, scratch, &request);
  if (error == 0) covey_write_bytes(w, 6, request.bytes, request.size);
  return error;
}

#endif
