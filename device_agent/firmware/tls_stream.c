/* SPDX-License-Identifier: Apache-2.0 */
/* TLS 1.2 by Mbed TLS 2.28 (RFC 5246; ECDHE with ECDSA, RFC 8422; or a pre-shared key with ECDHE,
 * RFC 5489). The gateway must show a certificate of the authority in the provisioning page, for the
 * name that stands there: this board has no clock, so that no certificate is too old for it. With a
 * pre-shared key both sides prove that they have it, and nobody shows a certificate. */
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>
#include <string.h>

#include "covey/error.h"
#include "log.h"
#include "own_key.h"
#include "stream.h"

/* Records of the gateway are no longer: asked for with max_fragment_length (RFC 6066, 4). */
#define FRAGMENT MBEDTLS_SSL_MAX_FRAG_LEN_4096

static const int with_certificate[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0};
static const int with_key[] = {MBEDTLS_TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256, 0};
static const mbedtls_ecp_group_id curves[] = {MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_NONE};

static struct {
  mbedtls_ssl_config config;
  mbedtls_ssl_context tls;
  mbedtls_x509_crt authority;
  mbedtls_x509_crt certificate; /* the unit's */
  mbedtls_pk_context key;
  const provisioning_t* unit;
  board_stream_t stream;
  stream_state_t state;
  uint64_t began_ms;
  uint32_t bytes_in; /* of the handshake */
  uint32_t bytes_out;
} own;

static int random_bytes(void* context, unsigned char* output, size_t size) {
  (void)context;
  return psa_generate_random(output, size) == PSA_SUCCESS ? 0 : -1;
}

static int send_bytes(void* context, const unsigned char* bytes, size_t size) {
  const size_t sent = board_write(own.stream, bytes, size);
  (void)context;
  own.bytes_out += (uint32_t)sent;
  return sent > 0 ? (int)sent : MBEDTLS_ERR_SSL_WANT_WRITE;
}

static int receive_bytes(void* context, unsigned char* bytes, size_t size) {
  const size_t got = board_read(own.stream, bytes, size);
  (void)context;
  own.bytes_in += (uint32_t)got;
  return got > 0 ? (int)got : MBEDTLS_ERR_SSL_WANT_READ;
}

static int refuse(const char* what, int error) {
  log_line("tls: %s: -0x%04x", what, (unsigned)-error);
  return COVEY_ERROR_CONFIG;
}

static int show_certificate(const uint8_t* der, size_t size) {
  int error = mbedtls_x509_crt_parse_der_nocopy(&own.certificate, der, size);
  if (error == 0) error = mbedtls_pk_setup(&own.key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
  if (error == 0) {
    error = mbedtls_ecp_read_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(own.key), own_key_scalar(),
                                 COVEY_PSA_SCALAR_BYTES);
  }
  if (error == 0) error = mbedtls_ssl_conf_own_cert(&own.config, &own.certificate, &own.key);
  return error == 0 ? COVEY_OK : refuse("the unit's certificate", error);
}

static int by_key(const provisioning_t* unit) {
  int error;
  mbedtls_ssl_conf_ciphersuites(&own.config, with_key);
  error = mbedtls_ssl_conf_psk(&own.config, unit->pre_shared_key, unit->pre_shared_key_size,
                               (const unsigned char*)unit->device_id, strlen(unit->device_id));
  return error == 0 ? COVEY_OK : refuse("pre-shared key", error);
}

static int by_certificate(const provisioning_t* unit, bool devices) {
  const uint8_t* der;
  const size_t size = own_key_certificate(&der);
  int error;
  mbedtls_ssl_conf_ciphersuites(&own.config, with_certificate);
  error = mbedtls_x509_crt_parse_der_nocopy(&own.authority, unit->authority, unit->authority_size);
  if (error != 0) return refuse("the provisioned authority", error);
  mbedtls_ssl_conf_ca_chain(&own.config, &own.authority, NULL);
  return devices && size > 0 ? show_certificate(der, size) : COVEY_OK;
}

static void begin(void) {
  mbedtls_ssl_config_init(&own.config);
  mbedtls_ssl_init(&own.tls);
  mbedtls_x509_crt_init(&own.authority);
  mbedtls_x509_crt_init(&own.certificate);
  mbedtls_pk_init(&own.key);
}

/* Anew for each connection: the certificate may be a newer one. */
static int configure(const provisioning_t* unit, bool devices) {
  int error;
  mbedtls_ssl_free(&own.tls);
  mbedtls_ssl_config_free(&own.config);
  mbedtls_x509_crt_free(&own.authority);
  mbedtls_x509_crt_free(&own.certificate);
  mbedtls_pk_free(&own.key);
  begin();
  error = mbedtls_ssl_config_defaults(&own.config, MBEDTLS_SSL_IS_CLIENT,
                                      MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  if (error != 0) return refuse("defaults", error);
  mbedtls_ssl_conf_rng(&own.config, random_bytes, NULL);
  mbedtls_ssl_conf_min_version(&own.config, MBEDTLS_SSL_MAJOR_VERSION_3,
                               MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_curves(&own.config, curves);
  error = mbedtls_ssl_conf_max_frag_len(&own.config, FRAGMENT);
  if (error != 0) return refuse("fragments", error);
  mbedtls_ssl_conf_authmode(&own.config, MBEDTLS_SSL_VERIFY_REQUIRED);
  error = unit->pre_shared_key_size != 0 ? by_key(unit) : by_certificate(unit, devices);
  if (error != COVEY_OK) return error;
  error = mbedtls_ssl_setup(&own.tls, &own.config);
  if (error != 0) return refuse("memory", error);
  if (unit->pre_shared_key_size == 0) {
    error = mbedtls_ssl_set_hostname(&own.tls, unit->gateway_name);
    if (error != 0) return refuse("the gateway's name", error);
  }
  mbedtls_ssl_set_bio(&own.tls, NULL, send_bytes, receive_bytes, NULL);
  return COVEY_OK;
}

int stream_init(const provisioning_t* unit) {
  begin();
  own.unit = unit;
  return configure(unit, false);
}

void stream_open(board_stream_t stream) {
  own.stream = stream;
  own.state = configure(own.unit, stream == BOARD_STREAM_DEVICE) == COVEY_OK ? STREAM_OPENING
                                                                             : STREAM_FAILED;
  own.began_ms = board_now_ms();
  own.bytes_in = 0;
  own.bytes_out = 0;
}

static stream_state_t failed(int error) {
  const uint32_t flags = mbedtls_ssl_get_verify_result(&own.tls);
  if (error == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
    log_line("tls: the gateway's certificate is refused: %s%s%s",
             (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0 ? "of another authority" : "",
             (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0 ? " for another name" : "",
             flags == 0 ? "unknown" : "");
  } else {
    log_line("tls: no connection: -0x%04x", (unsigned)-error);
  }
  own.state = STREAM_FAILED;
  return own.state;
}

stream_state_t stream_step(void) {
  while (own.state == STREAM_OPENING) {
    const int error = mbedtls_ssl_handshake_step(&own.tls);
    board_feed_watchdog(); /* a step is one message and the arithmetic for it */
    if (error == MBEDTLS_ERR_SSL_WANT_READ || error == MBEDTLS_ERR_SSL_WANT_WRITE) break;
    if (error != 0) return failed(error);
    if (own.tls.state == MBEDTLS_SSL_HANDSHAKE_OVER) {
      own.state = STREAM_OPEN;
      log_line("tls: %s after %u ms, %u bytes in, %u out, heap %u",
               mbedtls_ssl_get_ciphersuite(&own.tls), (unsigned)(board_now_ms() - own.began_ms),
               (unsigned)own.bytes_in, (unsigned)own.bytes_out, (unsigned)crypto_heap_used());
    }
  }
  return own.state;
}

size_t stream_write(const uint8_t* bytes, size_t size) {
  int sent;
  if (own.state != STREAM_OPEN || size == 0) return 0;
  sent = mbedtls_ssl_write(&own.tls, bytes, size);
  if (sent > 0) return (size_t)sent;
  if (sent != MBEDTLS_ERR_SSL_WANT_READ && sent != MBEDTLS_ERR_SSL_WANT_WRITE) (void)failed(sent);
  return 0;
}

size_t stream_read(uint8_t* bytes, size_t capacity) {
  int got;
  if (own.state != STREAM_OPEN) return 0;
  got = mbedtls_ssl_read(&own.tls, bytes, capacity);
  if (got > 0) return (size_t)got;
  if (got != MBEDTLS_ERR_SSL_WANT_READ && got != MBEDTLS_ERR_SSL_WANT_WRITE) (void)failed(got);
  return 0;
}

bool stream_shows_certificate(void) { return own.certificate.raw.len > 0; }
