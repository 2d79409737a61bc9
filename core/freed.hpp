// SPDX-License-Identifier: Apache-2.0
// Deleter of what a C library made: std::unique_ptr<BIO, Freed<BIO_free>>.
#pragma once

namespace covey {

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

}  // namespace covey
