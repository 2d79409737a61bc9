// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/document/document.hpp"

#include <string_view>

#include "deploy/signing/sha256.hpp"

namespace covey {
namespace {

// Each name and each value after its length: no two documents give the same bytes.
class Content {
 public:
  template <typename T>
  void operator()(const char* name, const T& value) {
    text(name);
    add(value);
  }

  Digest digest() const { return sha256(as_bytes(bytes_)); }

 private:
  void text(std::string_view text) {
    bytes_ += std::to_string(text.size());
    bytes_ += ':';
    bytes_ += text;
  }
  void add(const std::string& value) { text(value); }
  void add(uint32_t value) { text(std::to_string(value)); }
  template <typename T>
  void add(const std::optional<T>& value) {
    text(value ? "+" : "-");
    if (value) add(*value);
  }
  template <typename T>
  void add(const std::vector<T>& values) {
    text(std::to_string(values.size()));
    for (const T& value : values) add(value);
  }
  template <typename T>
  void add(const T& document) {
    fields(*this, document);
  }

  std::string bytes_;
};

}  // namespace

Digest digest_of(const PlanDocument& document) {
  Content content;
  fields(content, document);
  return content.digest();
}

}  // namespace covey
