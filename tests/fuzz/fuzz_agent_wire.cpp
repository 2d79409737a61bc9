// SPDX-License-Identifier: Apache-2.0
// The agent's codec and the parsers that are pure functions of bytes, against libprotobuf: what one
// accepts as SignedManifest or TelemetryTables, the other one reads too.
#include <cstdlib>
#include <vector>

#include "device_agent/src/flash/flash.h"
#include "device_agent/src/telemetry/telemetry.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const uint8_t nothing = 0;
  covey_bytes_t rest{size == 0 ? &nothing : bytes, size};
  covey_field_t field;
  size_t fields = 0;
  std::vector<uint8_t> out(size + 64);
  covey_writer_t writer{out.data(), 0, out.size(), false};
  while (covey_read_field(&rest, &field) > 0) {
    ++fields;
    if ((field.tag & 7) == COVEY_BYTES) {
      const covey_bytes_t inside = field.bytes;
      if (inside.bytes < bytes || inside.bytes + inside.size > bytes + size) std::abort();
      covey_write_bytes(&writer, field.tag >> 3, inside.bytes, inside.size);
    } else {
      covey_write_uint64(&writer, field.tag >> 3, field.value);
    }
  }
  if (fields > size || writer.size > writer.capacity) std::abort();
  const covey_bytes_t message{bytes, size};
  covey_manifest_t manifest;
  covey_bytes_t inner;
  if (size != 0) {
    (void)covey_manifest_parse(message, &manifest);
    (void)covey_manifest_open(message, &inner);
  }
  covey_tables_t tables;
  const int checked = covey_tables_parse(message, nullptr);
  if (checked != covey_tables_parse(message, &tables)) std::abort();
  if (checked == 0 && (tables.feature_count > COVEY_FEATURES_MAX ||
                       tables.class_count > COVEY_CLASSES_MAX || tables.class_count == 0)) {
    std::abort();
  }
#if COVEY_JOINT_LEAVES_MAX > 0
  for (int i = 0; checked == 0 && i < tables.node_count; ++i) {
    if (tables.nodes[i].feature >= tables.feature_count) std::abort();
  }
#endif
  return 0;
}
