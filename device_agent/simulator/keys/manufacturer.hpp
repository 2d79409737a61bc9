// SPDX-License-Identifier: Apache-2.0
// The production line of simulated devices: says by certificates who each of them is. Constant.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.hpp"

struct evp_pkey_st;  // OpenSSL's
struct x509_st;

namespace covey::simulator {

class Manufacturer {
 public:
  // Private key and certificate of an authority, in one PEM file. Errors: MANUFACTURER.
  static Result<std::unique_ptr<Manufacturer>> load(const std::string& path);
  Manufacturer() = default;  // call load() instead
  ~Manufacturer();
  Manufacturer(const Manufacturer&) = delete;
  Manufacturer& operator=(const Manufacturer&) = delete;

  // X.509 in DER, for ten years. Errors: MANUFACTURER.
  Result<std::vector<uint8_t>> certify(const std::string& id, evp_pkey_st* key) const;

 private:
  evp_pkey_st* key_ = nullptr;
  x509_st* certificate_ = nullptr;
};

}  // namespace covey::simulator
