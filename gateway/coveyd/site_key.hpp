// SPDX-License-Identifier: Apache-2.0
// What the site's secrets are encrypted with in the database, so that a copy of it is not the keys
// of the fleet (docs/adr/0045-site-secrets.md): 32 bytes as 64 hex digits, out of `site.key` (the
// environment), `site.key_file`, or DATA/site.key, which the first start makes.
//
// Thread safety: immutable once it is open; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/result.hpp"
#include "gateway/config/config.hpp"
#include "gateway/engine/commands.hpp"
#include "storage/records.hpp"

namespace covey {

class SiteKey {
 public:
  // `sealed_already`: secrets are there that some key was used for; then none is made. Errors:
  // SITE_KEY_LOST, SITE_KEY_INVALID, FILE_READ, FILE_WRITE, FOREIGN_FILE, EXPOSED_FILE.
  static Result<SiteKey> open(const config::Config& config, bool sealed_already);

  // A new secret of that number, random and sealed. Errors: NO_RANDOMNESS, SEALING.
  Result<engine::RotateSecret> make(uint32_t number) const;
  // Also what a site of before, or the previous key, left. Errors: SITE_KEY_WRONG.
  Result<Digest> unseal(const SiteSecretRecord& record) const;
  // Those that are in clear, or sealed with the previous key, sealed with this one, in `records`,
  // too. Errors: SITE_KEY_WRONG, SEALING.
  Result<std::vector<SiteSecretRecord>> seal_anew(std::vector<SiteSecretRecord>& records) const;

 private:
  Result<Bytes> seal(uint32_t number, const Digest& secret) const;
  bool is_outdated(const SiteSecretRecord& record) const;

  Digest key_;
  std::optional<Digest> previous_;
  std::string from_;  // where the key is, in words
};

}  // namespace covey
