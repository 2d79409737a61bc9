// SPDX-License-Identifier: Apache-2.0
// What a site is known by: its own authority (DATA/tls/ca.pem, made at the first start and kept for
// ever) and the certificate that its servers show (DATA/tls/server.pem), issued by that authority
// and renewed by itself, or the operator's own (tls.certificate_file), taken over whenever its
// files change. Servers read DATA/tls/server.pem, which has the key, too: what is there is always a
// pair, in its time when it was put there.
//
// Thread safety: none; one thread. Errors: TLS_FILES (a file that cannot be read or written, with
// its name), CERTIFICATE_INVALID, KEY_INVALID, KEY_MISMATCH, FOREIGN_FILE; all faults of the
// operator's files in one message.
#pragma once

#include <string>
#include <vector>

#include "core/result.hpp"
#include "gateway/adapters/tls/certificates.hpp"

namespace covey::tls {

struct IdentityOptions {
  std::string data_dir;
  std::string site = "site";
  std::vector<std::string> names;  // that clients may use; empty: names_of_this_host()
  std::string certificate_file;    // the operator's own, with those above it; empty: none
  std::string key_file;            // of that
  std::string ca_file;             // what clients of such a certificate trust; empty: not known
};

class SiteIdentity {
 public:
  // `now`: by the wall clock.
  static Result<SiteIdentity> open(IdentityOptions options, Millis now);

  // Key and certificates; a secret.
  std::string server_path() const { return folder_ + "/server.pem"; }
  // What clients trust, as PEM; empty: only the operator knows (tls.ca_file is not set).
  const std::string& ca() const { return ca_; }
  std::string ca_path() const;  // empty like ca()
  std::string ca_fingerprint() const;
  // The site's own authority, which issues the certificates of devices whatever the server shows.
  const Credentials& authority() const { return authority_; }
  std::string authority_path() const { return folder_ + "/ca.pem"; }
  const CertificateFacts& server() const { return server_; }

  // Looks whether the server's certificate is due or its source has changed. True: there is a new
  // one in the files. Errors: the old one stays.
  Result<bool> refresh(Millis now);

 private:
  explicit SiteIdentity(IdentityOptions options);

  Status open_authority();
  Result<bool> issue(Millis now);
  Result<bool> take_over(Millis now);
  Status put(std::string pem);
  Status load();

  IdentityOptions options_;
  std::string folder_;
  Credentials authority_;  // with key
  std::string ca_;
  std::string shown_;  // what server_path() has; empty: nothing that could be used
  CertificateFacts server_;
};

}  // namespace covey::tls
