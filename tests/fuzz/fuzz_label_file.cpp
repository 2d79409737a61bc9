// SPDX-License-Identifier: Apache-2.0
// A labels file of any bytes is either labels that can be sent or a list of lines to mend.
#include <algorithm>
#include <cstdint>

#include "cli/files/label_file.hpp"
#include "core/assert.hpp"
#include "core/id.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto labels = covey::cli::read_labels(text);
  if (!labels) {
    COVEY_ASSERT(labels.error().reason == "BAD_LABELS" && !labels.error().message.empty());
    return 0;
  }
  const auto lines = static_cast<size_t>(
      1 + std::count_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }));
  size_t last = 0;
  for (const covey::cli::LabelLine& label : *labels) {
    COVEY_ASSERT(label.line > last && label.line <= lines);
    COVEY_ASSERT(covey::DeviceId::parse(label.device).ok() && !label.boot_id.empty());
    last = label.line;
  }
  return 0;
}
