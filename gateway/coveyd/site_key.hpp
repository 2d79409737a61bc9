// SPDX-License-Identifier: Apache-2.0
// What the site's secrets are encrypted with in the database, so that a copy of it is not the keys
// of the fleet (docs/adr/0045-site-secrets.md): 32 bytes as 64 hex digits, out of `site.key` (the
// environment), `site.key_file`, or DATA/site.key, which the first start makes.
//
// Thread safety: immutable once it is open; any thread.
#pragma once

#include <optional>
#include <string>

#include "core/digest.hpp"
#include "core/result.hpp"
#include "gateway/config/config.hpp"
#include "storage/records.hpp"

namespace covey {

class SiteKey {
 public:
  // `sealed_already`: secrets are there that some key was used for; then none is made. Errors:
  // SITE_KEY_LOST, SITE_KEY_INVALID, FILE_READ, FILE_WRITE, FOREIGN_FILE, EXPOSED_FILE.
  static Result<SiteKey> open(const config::Config& config, bool sealed_already);

  Result<Bytes> seal(uint32_t number, const Digest& secret) const;
  // Also what a site of before, or the previous key, left. Errors: SITE_KEY_WRONG.
  Result<Digest> unseal(const SiteSecretRecord& record) const;
  // It is not this key that it is sealed with: in clear, or with the previous one.
  bool is_outdated(const SiteSecretRecord& record) const;

 private:
  Digest key_;
  std::optional<Digest> previous_;
  std::string from_;  // where the key is, in words
};

}  // namespace covey
