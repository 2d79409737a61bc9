// SPDX-License-Identifier: Apache-2.0
#include "gateway/coveyd/site_key.hpp"

#include <fmt/format.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include <algorithm>

#include "gateway/adapters/tls/secret_box.hpp"
#include "gateway/config/durable_file.hpp"

namespace covey {
namespace {

constexpr size_t kKeyFileBytesMax = 1'024;

std::string label_of(uint32_t number) { return fmt::format("covey site secret {}", number); }

bool is_plain(const SiteSecretRecord& record) { return record.sealed.size() == sizeof(Digest); }

Result<Digest> parse(std::string_view text, const std::string& from) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const Result<Bytes> bytes = from_hex(text);
  Digest key;
  if (!bytes || bytes->size() != key.bytes.size()) {
    return precondition(
        "SITE_KEY_INVALID",
        from + ": 64 hex digits are expected, as `openssl rand -hex 32` makes them");
  }
  std::ranges::copy(*bytes, key.bytes.begin());
  return key;
}

Result<Digest> read_key(const std::string& path) {
  const Result<std::string> text = config::read_secret_bounded(path, kKeyFileBytesMax);
  if (!text) return text.error();
  return parse(*text, path);
}

Status draw(Digest& into) {
  if (RAND_bytes(into.bytes.data(), static_cast<int>(into.bytes.size())) == 1) return {};
  return Error{Code::kInternal, "NO_RANDOMNESS", "the system's random source does not answer"};
}

Result<Digest> make_key(const std::string& path) {
  Digest key;
  if (Status drawn = draw(key); !drawn) return drawn.error();
  const Status kept = config::write_file_durably(path, to_hex(key) + "\n", 0600);
  if (!kept) return kept.error();
  return key;
}

bool is_there(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

Error key_lost(const std::string& path) {
  return {Code::kDataLoss, "SITE_KEY_LOST",
          fmt::format("{} is not there, and the secrets in covey.db are encrypted with it: put its "
                      "backup back; or begin anew on an empty data directory: then every device "
                      "has to enrol again",
                      path)};
}

Result<Digest> find_key(const config::Config& config, const std::string& path,
                        bool sealed_already) {
  if (!config.site.key.empty()) return parse(config.site.key, "COVEY_SITE_KEY");
  if (is_there(path)) return read_key(path);
  if (!config.site.key_file.empty()) return read_key(path);  // the operator's: said, not made
  if (sealed_already) return key_lost(path);
  return make_key(path);
}

}  // namespace

Result<SiteKey> SiteKey::open(const config::Config& config, bool sealed_already) {
  SiteKey opened;
  const std::string path =
      config.site.key_file.empty() ? config.data_dir + "/site.key" : config.site.key_file;
  opened.from_ = config.site.key.empty() ? path : "COVEY_SITE_KEY";
  Result<Digest> key = find_key(config, path, sealed_already);
  if (!key) return key.error();
  opened.key_ = *key;
  if (!config.site.previous_key_file.empty()) {
    Result<Digest> previous = read_key(config.site.previous_key_file);
    if (!previous) return previous.error();
    opened.previous_ = *previous;
  }
  return opened;
}

Result<Bytes> SiteKey::seal(uint32_t number, const Digest& secret) const {
  return tls::close_box(key_, label_of(number), secret.bytes);
}

Result<Digest> SiteKey::unseal(const SiteSecretRecord& record) const {
  Digest secret;
  Result<Bytes> plain = is_plain(record)
                            ? Result<Bytes>(record.sealed)
                            : tls::open_box(key_, label_of(record.number), record.sealed);
  if (!plain && previous_) {
    plain = tls::open_box(*previous_, label_of(record.number), record.sealed);
  }
  if (!plain || plain->size() != secret.bytes.size()) {
    return Error{Code::kDataLoss, "SITE_KEY_WRONG",
                 fmt::format("secret {} of the site can't be opened with the key of {}: it belongs "
                             "to another site, or was replaced. Put the right one back; where it "
                             "was replaced, name the old one in site.previous_key_file",
                             record.number, from_)};
  }
  std::ranges::copy(*plain, secret.bytes.begin());
  return secret;
}

Result<engine::RotateSecret> SiteKey::make(uint32_t number) const {
  engine::RotateSecret made{.secret = {}, .sealed = {}, .number = number};
  if (Status drawn = draw(made.secret); !drawn) return drawn.error();
  Result<Bytes> sealed = seal(number, made.secret);
  if (!sealed) return sealed.error();
  made.sealed = *std::move(sealed);
  return made;
}

Result<std::vector<SiteSecretRecord>> SiteKey::seal_anew(
    std::vector<SiteSecretRecord>& records) const {
  std::vector<SiteSecretRecord> fresh;
  for (SiteSecretRecord& record : records) {
    if (!is_outdated(record)) continue;
    const Result<Digest> secret = unseal(record);
    if (!secret) return secret.error();
    Result<Bytes> again = seal(record.number, *secret);
    if (!again) return again.error();
    record.sealed = *std::move(again);
    fresh.push_back(record);
  }
  return fresh;
}

bool SiteKey::is_outdated(const SiteSecretRecord& record) const {
  return is_plain(record) || !tls::open_box(key_, label_of(record.number), record.sealed).ok();
}

}  // namespace covey
