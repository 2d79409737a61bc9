// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/site_identity.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "gateway/adapters/tls/host_names.hpp"
#include "gateway/adapters/tls/own_files.hpp"
#include "gateway/config/durable_file.hpp"

namespace covey::tls {
namespace {

constexpr mode_t kOwnerOnly = 0600;
constexpr mode_t kForAll = 0644;
constexpr Millis kLifetime{24h * 90};
constexpr Millis kRenewBefore{24h * 30};

Error files_error(const Error& cause) {
  const bool foreign = cause.reason == "FOREIGN_FILE";
  return {cause.code, foreign ? cause.reason : "TLS_FILES", cause.message};
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

bool in_time(const CertificateFacts& facts, Millis now) {
  return facts.not_before <= now && now <= facts.not_after;
}

}  // namespace

SiteIdentity::SiteIdentity(IdentityOptions options)
    : options_(std::move(options)), folder_(options_.data_dir + "/tls") {
  if (options_.names.empty()) options_.names = names_of_this_host();
}

Result<SiteIdentity> SiteIdentity::open(IdentityOptions options, Millis now) {
  SiteIdentity identity(std::move(options));
  if (::mkdir(identity.folder_.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error{Code::kUnavailable, "TLS_FILES",
                 fmt::format("cannot make {}: {}", identity.folder_, std::strerror(errno))};
  }
  if (Status opened = identity.open_authority(); !opened) return opened.error();
  if (Status loaded = identity.load(); !loaded) return loaded.error();
  if (Result<bool> fresh = identity.refresh(now); !fresh) return fresh.error();
  return identity;
}

std::string SiteIdentity::ca_path() const {
  if (ca_.empty()) return {};
  return options_.certificate_file.empty() ? folder_ + "/ca.pem" : options_.ca_file;
}

std::string SiteIdentity::ca_fingerprint() const {
  const Result<CertificateFacts> facts = facts_of(ca_);
  return facts ? facts->fingerprint : std::string();
}

// The key first: without its certificate nothing was issued with it.
Status SiteIdentity::open_authority() {
  const std::string key_path = folder_ + "/ca.key";
  const std::string certificate_path = folder_ + "/ca.pem";
  if (exists(certificate_path)) {
    const Result<std::string> certificate =
        config::read_file_bounded(certificate_path, kPemBytesMax);
    if (!certificate) return files_error(certificate.error());
    const Result<std::string> key = config::read_file_bounded(key_path, kPemBytesMax);
    if (!key) {
      Error error = files_error(key.error());
      error.message += "; bring it back from a backup: devices know this authority";
      return error;
    }
    if (const Status secret = check_secret(key_path); !secret) return secret;
    authority_ = {*key, *certificate};
    if (const Status pair = check_pair(authority_); !pair) {
      return Error{pair.error().code, pair.error().reason,
                   fmt::format("{} and {}: {}; bring both back from a backup: devices know this "
                               "authority",
                               certificate_path, key_path, pair.error().message)};
    }
  } else {
    Result<Credentials> made = make_authority(options_.site);
    if (!made) return made.error();
    authority_ = *std::move(made);
    if (const Status put = config::write_file_durably(key_path, authority_.key, kOwnerOnly); !put) {
      return files_error(put.error());
    }
    if (const Status put =
            config::write_file_durably(certificate_path, authority_.certificate, kForAll);
        !put) {
      return files_error(put.error());
    }
  }
  if (options_.certificate_file.empty()) ca_ = authority_.certificate;
  return {};
}

// What was shown last; anything wrong with it: nothing was.
Status SiteIdentity::load() {
  if (!exists(server_path())) return {};
  Result<std::string> pem = config::read_file_bounded(server_path(), 2 * kPemBytesMax);
  if (!pem) return files_error(pem.error());
  Result<CertificateFacts> facts = facts_of(*pem);
  if (!facts || !check_pair({*pem, *pem})) return {};
  shown_ = *std::move(pem);
  server_ = *std::move(facts);
  return {};
}

Result<bool> SiteIdentity::refresh(Millis now) {
  return options_.certificate_file.empty() ? issue(now) : take_over(now);
}

Result<bool> SiteIdentity::issue(Millis now) {
  const bool ours = !shown_.empty() && issued_by(authority_, shown_);
  if (ours && in_time(server_, now) && now < server_.not_after - kRenewBefore &&
      server_.names == options_.names) {
    return false;
  }
  const Result<Credentials> made = issue_server(authority_, options_.names, now, kLifetime);
  if (!made) return made.error();
  if (const Status done = put(made->key + made->certificate); !done) return done.error();
  return true;
}

Result<bool> SiteIdentity::take_over(Millis now) {
  const Result<Own> own = read_own(
      {.certificate = options_.certificate_file, .key = options_.key_file, .ca = options_.ca_file},
      now);
  if (!own) {
    return invalid(own.error().reason,
                   "tls.certificate_file, tls.key_file: " + own.error().message);
  }
  ca_ = own->ca;
  std::string pem = own->credentials.key + "\n" + own->credentials.certificate;
  if (pem == shown_) return false;
  if (const Status done = put(std::move(pem)); !done) return done.error();
  return true;
}

Status SiteIdentity::put(std::string pem) {
  Result<CertificateFacts> facts = facts_of(pem);
  if (!facts) return facts.error();
  if (const Status done = config::write_file_durably(server_path(), pem, kOwnerOnly); !done) {
    return files_error(done.error());
  }
  shown_ = std::move(pem);
  server_ = *std::move(facts);
  return {};
}

}  // namespace covey::tls
