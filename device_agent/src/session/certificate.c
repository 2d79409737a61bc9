/* SPDX-License-Identifier: Apache-2.0 */
/* The device's certificate: kept by the port for its TLS, and told apart by its serial number. The
 * gateway says when there is a newer one. */
#include "parts.h"

#if COVEY_DEVICE_KEY

/* Certificate, TBSCertificate and version before the serial number of 16 bytes (RFC 5280, section
 * 4.1): 30 82 .. .. 30 82 .. .. a0 03 02 01 02 02 10. */
enum { SERIAL_AT = 15, SERIAL_TAG_AT = 13, SERIAL_LENGTH = 16 };

/* 0: of no certificate that a site issues. */
static uint64_t number_of(const uint8_t* der, size_t size) {
  const uint8_t* at = der + SERIAL_AT;
  if (size < SERIAL_AT + SERIAL_LENGTH || der[SERIAL_TAG_AT] != 0x02 ||
      der[SERIAL_TAG_AT + 1] != SERIAL_LENGTH) {
    return 0;
  }
  return covey_bytes_load32(at) | (uint64_t)covey_bytes_load32(at + 4) << 32;
}

void covey_certificate_load(covey_agent_t* a) {
  const covey_device_key_t* key = covey_parts_own_key(a);
  int size;
  a->certificate = 0;
  if (key == NULL || key->certificate == NULL) return;
  size =
      key->certificate->read(key->certificate->ctx, a->config->send_buffer, a->config->send_bytes);
  if (size > 0 && (size_t)size <= a->config->send_bytes) {
    a->certificate = number_of(a->config->send_buffer, (size_t)size);
  }
}

int covey_certificate_keep(covey_agent_t* a, covey_bytes_t certificate) {
  const covey_device_key_t* key = covey_parts_own_key(a);
  uint64_t number;
  if (certificate.size == 0 || key == NULL || key->certificate == NULL) return COVEY_OK;
  number = number_of(certificate.bytes, certificate.size);
  if (number == 0 || certificate.size > COVEY_CERTIFICATE_BYTES_MAX) {
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  if (number == a->certificate) return COVEY_OK; /* it is there */
  if (key->certificate->write(key->certificate->ctx, certificate.bytes, certificate.size) != 0) {
    return COVEY_ERROR_STORE;
  }
  a->certificate = number;
  return COVEY_OK;
}

/* covey.device.v1.Certificate */
typedef struct renewal {
  covey_bytes_t certificate;
} renewal_t;

static const covey_member_t renewal_members[] = {
    COVEY_MEMBER(1, COVEY_MEMBER_BYTES, renewal_t, certificate), COVEY_MEMBERS_END(renewal_t)};

int covey_certificate_receive(covey_agent_t* a, covey_bytes_t message) {
  renewal_t renewal;
  const int error = covey_seal_open(a, "certificate", &message);
  if (error != 0) return error;
  if (!covey_read_members(message, renewal_members, &renewal)) {
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  return covey_certificate_keep(a, renewal.certificate);
}

#endif
