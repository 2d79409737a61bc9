// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/own_files.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "gateway/config/durable_file.hpp"
#include "gateway/config/ownership.hpp"

namespace covey::tls {
namespace {

class Faults {
 public:
  void add(const std::string& path, const std::string& message) {
    add(fmt::format("{}: {}", path, message));
  }
  void add(const std::string& text) { text_ += (text_.empty() ? "" : "; ") + text; }
  const std::string& text() const { return text_; }

  // Empty: none, or it cannot be read.
  std::string read(const std::string& path) {
    if (path.empty()) return {};
    Result<std::string> content = config::read_file_bounded(path, kPemBytesMax);
    if (!content) add(content.error().message);
    return content ? *std::move(content) : std::string();
  }

 private:
  std::string text_;
};

}  // namespace

Status check_secret(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return Error{Code::kUnavailable, "TLS_FILES",
                 fmt::format("cannot look at {}: {}", path, std::strerror(errno))};
  }
  if ((status.st_mode & (S_IROTH | S_IWOTH)) == 0) return {};
  return precondition("TLS_FILES", config::exposed_file(path).message);
}

Result<Own> read_own(const OwnFiles& files, Millis now) {
  Faults faults;
  Own own;
  own.credentials.certificate = faults.read(files.certificate);
  own.credentials.key = faults.read(files.key);
  own.ca = faults.read(files.ca);
  if (!own.credentials.key.empty()) {
    if (const Status secret = check_secret(files.key); !secret) {
      faults.add(secret.error().message);
    }
  }
  if (!own.credentials.certificate.empty()) {
    const Result<CertificateFacts> facts = facts_of(own.credentials.certificate);
    if (!facts) {
      faults.add(files.certificate, facts.error().message);
    } else if (now > facts->not_after) {
      faults.add(files.certificate, "it has expired: renew it");
    } else if (now < facts->not_before) {
      faults.add(files.certificate, "its time has not begun: is this machine's clock right?");
    }
    const Status pair =
        facts && !own.credentials.key.empty() ? check_pair(own.credentials) : Status();
    if (!pair) faults.add(files.key, pair.error().message);
  }
  if (!own.ca.empty()) {
    if (const Result<CertificateFacts> ca = facts_of(own.ca); !ca) {
      faults.add(files.ca, ca.error().message);
    }
  }
  if (!faults.text().empty()) return invalid("CERTIFICATE_INVALID", faults.text());
  return own;
}

}  // namespace covey::tls
