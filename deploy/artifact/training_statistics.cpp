#include "deploy/artifact/gateway_part.hpp"
#include "deploy/artifact/gateway_part_json.hpp"

namespace covey {
namespace {

constexpr size_t kStatisticsBytesMax = 4U << 20U;  // self-test vectors as text
constexpr size_t kTensorBytesMax = 65'535;

Bytes read_tensor(JsonDecoder& in, const nlohmann::json& parent, const std::string& path,
                  std::string_view name) {
  Bytes bytes;
  const std::string where = JsonDecoder::join(path, name);
  for (const nlohmann::json& value : in.array(parent, path, name, kTensorBytesMax)) {
    const std::string entry = JsonDecoder::at(where, bytes.size());
    bytes.push_back(static_cast<uint8_t>(in.integer_value(value, entry, -128, 127)));
  }
  return bytes;
}

}  // namespace

Result<TrainingStatistics> decode_training_statistics(ByteView bytes) {
  JsonDecoder in;
  const nlohmann::json json = in.parse(bytes, kStatisticsBytesMax);
  TrainingStatistics statistics;
  statistics.part = read_gateway_part(in, json);
  for (const nlohmann::json& value : in.array(json, "", "selftest", kSelftestVectorsMax)) {
    const std::string path = JsonDecoder::at("selftest", statistics.selftest.vectors.size());
    SelftestVector vector;
    vector.input = read_tensor(in, value, path, "input");
    vector.output = read_tensor(in, value, path, "output");
    statistics.selftest.vectors.push_back(std::move(vector));
  }
  if (in.ok() && json.contains("selftest_tolerance")) {
    statistics.selftest.tolerance =
        static_cast<uint8_t>(in.integer(json, "", "selftest_tolerance", 0, 255));
  }
  if (!in.ok()) return in.error();
  if (Result<Bytes> part = encode(statistics.part); !part) return part.error();
  if (Result<Bytes> selftest = encode(statistics.selftest); !selftest) return selftest.error();
  return statistics;
}

}  // namespace covey
