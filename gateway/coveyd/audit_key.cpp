// SPDX-License-Identifier: Apache-2.0
#include "gateway/coveyd/audit_key.hpp"

#include <sys/stat.h>

#include <utility>

#include "gateway/config/durable_file.hpp"

namespace covey {
namespace {

constexpr size_t kFileBytesMax = 16'384;

Result<std::shared_ptr<const PrivateKey>> shared(PrivateKey key) {
  return std::make_shared<const PrivateKey>(std::move(key));
}

}  // namespace

Result<std::shared_ptr<const PrivateKey>> open_audit_key(const std::string& data_dir) {
  const std::string path = data_dir + "/audit.key";
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    Result<PrivateKey> made = PrivateKey::generate(SignatureAlgorithm::kEd25519);
    if (!made) return made.error();
    if (Status kept = config::write_file_durably(path, made->to_pem(), 0600); !kept) {
      return kept.error();
    }
    return shared(*std::move(made));
  }
  const Result<std::string> pem = config::read_secret_bounded(path, kFileBytesMax);
  if (!pem) return pem.error();
  Result<PrivateKey> key = PrivateKey::from_pem(*pem);
  if (!key) {
    Error error = key.error();
    error.message = path + ": " + error.message +
                    ". Put its backup back; or delete it, and a new one is made: heads that the "
                    "old one signed are still good for who kept its public key";
    return error;
  }
  return shared(*std::move(key));
}

}  // namespace covey
