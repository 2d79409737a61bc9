// T is S or const S: one list of members serves values that are written and values that are read.
#pragma once

#include <concepts>
#include <type_traits>

namespace covey::rows {

template <typename T, typename S>
concept Like = std::same_as<std::remove_const_t<T>, S>;

}  // namespace covey::rows
