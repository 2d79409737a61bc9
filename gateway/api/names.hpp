// SPDX-License-Identifier: Apache-2.0
// Resource names, page sizes and page tokens of the API, checked by hand: an error names the field.
// Pure; any thread. Errors: BAD_NAME, BAD_PAGE_SIZE, BAD_PAGE_TOKEN, BAD_FIELD and the ids' own.
#pragma once

#include <google/protobuf/message_lite.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "core/id.hpp"
#include "core/result.hpp"
#include "gateway/api/limits.hpp"

namespace covey::api {

// "devices/{id}", or the bare id as people type it. `field` is for messages.
Result<DeviceId> device_name(std::string_view text, std::string_view field);
// SHA-256 as people and tools write it: 64 hex digits, or nothing. Errors: BAD_FIELD.
Result<std::string> fingerprint_of(std::string_view text, std::string_view field);
Result<RolloutName> rollout_name(std::string_view text, std::string_view field);  // "rollouts/{..}"
Result<ModelName> model_name(std::string_view text, std::string_view field);      // "models/{...}"
// "models/{model}/releases/{version}" or MODEL@VERSION.
Result<ReleaseId> release_name(std::string_view text, std::string_view field);
std::string name_of(const DeviceId& id);
std::string name_of(const RolloutName& name);
std::string name_of(const ReleaseId& release);

Status check_text(std::string_view text, std::string_view field, size_t bytes_max = kTextBytesMax);

// 0: the default; above the most: the most, as AIP-158 says. Negative is refused.
Result<size_t> page_size(int32_t asked);
// What one page takes: so many rows, and no more once they have kPageBytesMax. One row at least.
class PageRoom {
 public:
  explicit PageRoom(size_t rows) : rows_(rows) {}
  bool has_room() const { return rows_ > 0 && bytes_ < kPageBytesMax; }
  void take(const google::protobuf::MessageLite& row) {
    --rows_;
    bytes_ += row.ByteSizeLong();
  }

 private:
  size_t rows_;
  size_t bytes_ = 0;
};
// Opaque to clients. `kind` keeps a token of one method from being used with another.
std::string page_token(std::string_view kind, std::string_view after);
Error bad_page_token();
// "" for an empty token: from the beginning.
Result<std::string> read_page_token(std::string_view kind, std::string_view token);
Result<uint64_t> read_page_number(std::string_view kind, std::string_view token);

}  // namespace covey::api
