// SPDX-License-Identifier: Apache-2.0
#include "device_agent/simulator/keys/own_key.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "covey/port_openssl.h"
#include "device_agent/simulator/keys/openssl_objects.hpp"

namespace covey::simulator {
namespace {

Error no_own_key(const std::string& path, std::string_view why) {
  return Error{Code::kUnavailable, "DEVICE_STATE", fmt::format("{}: {}", path, why)};
}

Result<EVP_PKEY*> read_key(const std::string& path) {
  const File file(std::fopen(path.c_str(), "re"));
  if (!file) {
    if (errno == ENOENT) return static_cast<EVP_PKEY*>(nullptr);
    return no_own_key(path, std::strerror(errno));
  }
  EVP_PKEY* key = PEM_read_PrivateKey(file.get(), nullptr, nullptr, nullptr);
  if (key == nullptr) return no_own_key(path, "no private key in PEM");
  return key;
}

Status write_key(const std::string& path, EVP_PKEY* key) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  File file(descriptor < 0 ? nullptr : ::fdopen(descriptor, "w"));
  if (!file || PEM_write_PrivateKey(file.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      std::fclose(file.release()) != 0) {
    return no_own_key(path, std::strerror(errno));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<OwnKey>> OwnKey::build(const std::string& directory, const std::string& id,
                                              bool certificate, const Manufacturer* maker) {
  auto own = std::make_unique<OwnKey>();
  const std::string key_path = fmt::format("{}/{}.key", directory, id);
  const std::string certificate_path = fmt::format("{}/{}.certificate", directory, id);
  if (!directory.empty()) {
    const Result<EVP_PKEY*> kept = read_key(key_path);
    if (!kept) return kept.error();
    own->key_ = *kept;
  }
  if (own->key_ == nullptr) {
    own->key_ = EVP_EC_gen("P-256");
    if (own->key_ == nullptr) return no_own_key(key_path, "no key could be made");
    if (!directory.empty()) {
      if (const Status written = write_key(key_path, own->key_); !written) return written.error();
    }
  }
  if (directory.empty()) {
    covey_host_store_memory(&own->kept_);
  } else if (covey_host_store_file(&own->kept_, certificate_path.c_str()) != 0) {
    return no_own_key(certificate_path, std::strerror(errno));
  }
  own->store_ = covey_host_store_port(&own->kept_);
  own->port_ = covey_openssl_device_key(own->key_, certificate ? &own->store_ : nullptr);
  if (maker != nullptr) {
    Result<std::vector<uint8_t>> der = maker->certify(id, own->key_);
    if (!der) return der.error();
    own->manufactured_ = *std::move(der);
    own->port_.manufacturer_certificate = own->manufactured_.data();
    own->port_.manufacturer_certificate_size = own->manufactured_.size();
  }
  return own;
}

OwnKey::~OwnKey() { EVP_PKEY_free(key_); }

}  // namespace covey::simulator
