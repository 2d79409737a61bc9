// SPDX-License-Identifier: Apache-2.0
// Structs that list their members once. A struct S that goes by more than one wire (a YAML file,
// the API, a row) has, beside it,
//
//   void fields(auto& visit, Like<S> auto& s) {
//     auto& [name, size] = s;  // a member that is missing here does not compile
//     visit("name", name);
//     visit("size", size);
//   }
//
// and every mapping is a visitor. `s` is const where the visitor only looks.
#pragma once

#include <concepts>
#include <type_traits>

namespace covey {

template <typename T, typename S>
concept Like = std::same_as<std::remove_const_t<T>, S>;

}  // namespace covey
