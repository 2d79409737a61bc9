// SPDX-License-Identifier: Apache-2.0
// Devices that have not come yet, as a file: one a line, five cells, of which all but the id may be
// empty or missing. The first line names the columns, in any order:
//
//   id,class,labels,key,certificate
//   press-07,m4f-256k,hall=b;line=press,3f9a...,
//
// key: SHA-256 of the public key (SubjectPublicKeyInfo in DER; 64 hex digits), or the key itself
// (an uncompressed point, 130 hex digits). certificate: SHA-256 of it (64 hex digits). Lines are as
// in label files (csv.hpp), and # begins a remark.
//
// Pure; any thread. Errors: BAD_DEVICES, with line and column of each cell (the first
// kRegistrationErrorsShown of them).
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/limits.hpp"
#include "core/result.hpp"

namespace covey::cli {

inline constexpr size_t kDeviceFileBytesMax = 16U << 20U;

struct DeviceLine {
  size_t line = 0;  // of the file, from 1
  std::string id;
  std::string device_class;
  std::map<std::string, std::string> labels;
  std::string key;  // SHA-256, 64 hex digits; "": none
  std::string certificate;
};

class DeviceFile {
 public:
  static Result<DeviceFile> read(std::string_view text);

  const std::vector<DeviceLine>& lines() const { return lines_; }
  // What the gateway says of devices[INDEX].FIELD, with line and column instead.
  std::string with_lines(std::string_view said) const;

 private:
  friend class DeviceFileReader;
  std::vector<DeviceLine> lines_;
  std::array<size_t, 5> place_ = {0, 1, 2, 3, 4};  // of each column, from 0
};

// One line of such a file.
std::string device_line(const DeviceLine& device);
inline constexpr std::string_view kDeviceFileHead = "id,class,labels,key,certificate";

}  // namespace covey::cli
