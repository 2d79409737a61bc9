// SPDX-License-Identifier: Apache-2.0
#include "cli/files/device_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include "cli/files/csv.hpp"
#include "core/digest.hpp"
#include "core/id.hpp"
#include "deploy/deployment/device_key.hpp"

namespace covey::cli {
namespace {

constexpr size_t kDeviceLineBytesMax = 8192;
constexpr size_t kDigestDigits = 64;
constexpr size_t kPointDigits = 130;
enum Column : size_t { kId, kClass, kLabels, kKey, kCertificate };
constexpr std::array<std::string_view, 5> kDeviceColumns = {"id", "class", "labels", "key",
                                                            "certificate"};
// As the API names them.
constexpr std::array<std::string_view, 5> kDeviceFields = {
    "device_id", "device_class", "labels", "key_fingerprint", "certificate_fingerprint"};

std::string plain_hex(std::string_view cell) {
  std::string plain;
  for (const char c : cell) {
    if (c != ':') plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return plain;
}

std::optional<Bytes> bytes_of(std::string_view hex) {
  Bytes bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    uint8_t byte = 0;
    const auto [end, error] = std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    if (error != std::errc() || end != hex.data() + i + 2) return std::nullopt;
    bytes.push_back(byte);
  }
  return bytes;
}

}  // namespace

class DeviceFileReader {
 public:
  Result<DeviceFile> read(std::string_view text) {
    if (!take_mark(text)) {
      return invalid("BAD_DEVICES", "the file is UTF-16, or no text: save it as UTF-8");
    }
    bool first = true;
    for (line_ = 1; !text.empty(); ++line_) {
      const std::string_view line = take_line(text);
      if (trimmed(line).empty() || trimmed(line).front() == '#') continue;
      read_line(line, first);
      first = false;
      if (broken_head_) break;
      if (file_.lines_.size() > kRegisteredAtOnceMax) {
        return invalid("BAD_DEVICES", fmt::format("line {}: more than {} devices: part the file",
                                                  line_, kRegisteredAtOnceMax));
      }
    }
    if (problems_ == 0 && file_.lines_.empty()) {
      return invalid("BAD_DEVICES",
                     fmt::format("it has no device; the first line is {}", kDeviceFileHead));
    }
    if (problems_ == 0) return std::move(file_);
    if (problems_ > kRegistrationErrorsShown) {
      said_ += fmt::format("\nand {} more", problems_ - kRegistrationErrorsShown);
    }
    return invalid("BAD_DEVICES", said_ + "\nnothing was changed");
  }

 private:
  void complain(std::string_view where, std::string_view what) {
    if (++problems_ > kRegistrationErrorsShown) return;
    said_ += fmt::format("{}line {}{}: {}", said_.empty() ? "" : "\n", line_, where, what);
  }
  void complain(Column column, std::string_view what) {
    complain(fmt::format(", column {} ({})", file_.place_[column] + 1, kDeviceColumns[column]),
             what);
  }

  void read_head(const std::vector<std::string>& cells) {
    columns_ = cells.size();
    file_.place_.fill(SIZE_MAX);
    for (size_t i = 0; i < cells.size(); ++i) {
      const auto* const name = std::find(kDeviceColumns.begin(), kDeviceColumns.end(), cells[i]);
      const auto column = static_cast<size_t>(name - kDeviceColumns.begin());
      if (name == kDeviceColumns.end() || file_.place_[column] != SIZE_MAX) {
        broken_head_ = true;
        return complain(
            fmt::format(", column {}", i + 1),
            fmt::format("{} is {}; the first line names the columns, of {}", in_quotes(cells[i]),
                        name == kDeviceColumns.end() ? "no column" : "there twice",
                        kDeviceFileHead));
      }
      file_.place_[column] = i;
    }
    if (file_.place_[kId] != SIZE_MAX) return;
    broken_head_ = true;
    complain("", fmt::format("there is no column id; the first line names the columns, of {}",
                             kDeviceFileHead));
  }

  std::string cell(const std::vector<std::string>& cells, Column column) const {
    const size_t place = file_.place_[column];
    return place < cells.size() ? cells[place] : std::string();
  }

  void read_line(std::string_view line, bool first) {
    if (line.size() > kDeviceLineBytesMax) {
      return complain("", fmt::format("{} bytes, at most {}", line.size(), kDeviceLineBytesMax));
    }
    if (first)
      separator_ =
          line.find(';') != std::string_view::npos && line.find(',') == std::string_view::npos
              ? ';'
              : separator_of(line);
    const std::optional<std::vector<std::string>> cells = cells_of(line, separator_);
    if (!cells) return complain("", "a quote is never closed");
    if (first) return read_head(*cells);
    if (cells->size() > columns_) {
      return complain("", fmt::format("{} cells, and the first line names {} columns (labels stand "
                                      "in one cell: a=1;b=2)",
                                      cells->size(), columns_));
    }
    DeviceLine device;
    device.line = line_;
    device.id = cell(*cells, kId);
    if (const Result<DeviceId> id = DeviceId::parse(device.id); !id) {
      complain(kId, id.error().message);
    }
    device.device_class = cell(*cells, kClass);
    if (!device.device_class.empty()) {
      const Result<DeviceClass> parsed = DeviceClass::parse(device.device_class);
      if (!parsed) complain(kClass, parsed.error().message);
    }
    read_labels(cell(*cells, kLabels), device);
    device.key = read_digest(kKey, cell(*cells, kKey));
    device.certificate = read_digest(kCertificate, cell(*cells, kCertificate));
    file_.lines_.push_back(std::move(device));
  }

  void read_labels(std::string_view rest, DeviceLine& device) {
    while (!rest.empty()) {
      const size_t end = std::min(rest.find_first_of("; "), rest.size());
      const std::string_view label = trimmed(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (label.empty()) continue;
      const size_t equals = label.find('=');
      if (equals == std::string_view::npos || equals == 0) {
        return complain(kLabels,
                        fmt::format("{} is no label; write hall=b;line=press", in_quotes(label)));
      }
      const auto [at, added] =
          device.labels.emplace(label.substr(0, equals), label.substr(equals + 1));
      if (!added) complain(kLabels, fmt::format("{} is there twice", in_quotes(at->first)));
    }
  }

  std::string read_digest(Column column, const std::string& cell) {
    const std::string hex = plain_hex(cell);
    if (hex.empty()) return {};
    if (hex.size() == kDigestDigits && parse_digest(hex)) return hex;
    if (column == kKey && hex.size() == kPointDigits && hex.starts_with("04")) {
      if (const std::optional<Bytes> point = bytes_of(hex)) return device_key_fingerprint(*point);
    }
    complain(column, column == kKey
                         ? fmt::format("{} is neither a SHA-256 (64 hex digits) nor a point of "
                                       "P-256 (130, the first ones 04)",
                                       in_quotes(cell))
                         : fmt::format("{} is no SHA-256 (64 hex digits)", in_quotes(cell)));
    return {};
  }

  DeviceFile file_;
  size_t line_ = 0;
  size_t columns_ = kDeviceColumns.size();
  char separator_ = ',';
  bool broken_head_ = false;
  std::string said_;
  size_t problems_ = 0;
};

Result<DeviceFile> DeviceFile::read(std::string_view text) { return DeviceFileReader().read(text); }

std::string DeviceFile::with_lines(std::string_view said) const {
  constexpr std::string_view kRow = "devices[";
  std::string out;
  for (size_t at = said.find(kRow); at != std::string_view::npos; at = said.find(kRow)) {
    out += said.substr(0, at);
    said.remove_prefix(at + kRow.size());
    size_t row = 0;
    const auto [end, error] = std::from_chars(said.data(), said.data() + said.size(), row);
    if (error != std::errc() || end == said.data() + said.size() || *end != ']' ||
        row >= lines_.size()) {
      out += kRow;
      continue;
    }
    said.remove_prefix(static_cast<size_t>(end - said.data()) + 1);
    out += fmt::format("line {}", lines_[row].line);
    for (size_t column = 0; column < kDeviceFields.size(); ++column) {
      const std::string field = fmt::format(".{}:", kDeviceFields[column]);
      if (!said.starts_with(field)) continue;
      out += fmt::format(", column {} ({}):", place_[column] + 1, kDeviceColumns[column]);
      said.remove_prefix(field.size());
    }
  }
  return out + std::string(said);
}

std::string device_line(const DeviceLine& device) {
  std::string labels;
  for (const auto& [key, value] : device.labels) {
    labels += fmt::format("{}{}={}", labels.empty() ? "" : ";", key, value);
  }
  return fmt::format("{},{},{},{},{}", device.id, device.device_class, labels, device.key,
                     device.certificate);
}

}  // namespace covey::cli
