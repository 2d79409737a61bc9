// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or an Error. No exceptions cross a library boundary of Covey.
// Thread safety: plain values; as safe as the T they hold.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "core/assert.hpp"

namespace covey {

// The numbers are gRPC's status codes, so that an adapter passes them on unchanged.
enum class Code : uint8_t {
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

std::string_view to_string(Code code);

// `reason` is UPPER_SNAKE and stable: programs match on it (AIP-193). `message` is for people: it
// names the field and says what to do next.
struct Error {
  Code code = Code::kUnknown;
  std::string reason;
  std::string message;

  bool operator==(const Error&) const = default;
};

inline Error invalid(std::string reason, std::string message) {
  return {Code::kInvalidArgument, std::move(reason), std::move(message)};
}
inline Error not_found(std::string message) {
  return {Code::kNotFound, "NOT_FOUND", std::move(message)};
}
inline Error precondition(std::string reason, std::string message) {
  return {Code::kFailedPrecondition, std::move(reason), std::move(message)};
}

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : x_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(*-explicit-*)
  Result(Error error) : x_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(*-explicit-*)

  bool ok() const { return x_.index() == 0; }
  explicit operator bool() const { return ok(); }

  const T& value() const& {
    COVEY_ASSERT(ok());
    return std::get<0>(x_);
  }
  T& value() & {
    COVEY_ASSERT(ok());
    return std::get<0>(x_);
  }
  // By value: in `for (auto& x : *f())` nothing else would keep what f() gave alive.
  T value() && {
    COVEY_ASSERT(ok());
    return std::get<0>(std::move(x_));
  }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

  const Error& error() const {
    COVEY_ASSERT(!ok());
    return std::get<1>(x_);
  }

 private:
  std::variant<T, Error> x_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : failed_(true), error_(std::move(error)) {}  // NOLINT(*-explicit-*)

  bool ok() const { return !failed_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    COVEY_ASSERT(failed_);
    return error_;
  }

 private:
  bool failed_ = false;
  Error error_;
};

using Status = Result<void>;

}  // namespace covey
