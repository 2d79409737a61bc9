// SPDX-License-Identifier: Apache-2.0
#include "deploy/artifact/tflite_inspect.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <tflite_schema_generated.h>

#include "deploy/artifact/tflite_operator_names.hpp"
#include "deploy/signing/sha256.hpp"

namespace covey {
namespace {

constexpr int32_t kBuiltinCustom = 32;
constexpr size_t kNameCharactersMax = 64;
constexpr size_t kRankMax = 8;
constexpr uint64_t kTensorBytesMax = uint64_t{1} << 31U;

Error corrupt(const std::string& what) {
  return invalid("TFLITE_CORRUPT", what + "; export the model again");
}

// Text of the file is hostile: it goes to terminals and logs.
std::string printable(const flatbuffers::String* text) {
  std::string out;
  if (text == nullptr) {
    return out;
  }
  for (const char c : text->string_view()) {
    if (out.size() == kNameCharactersMax) {
      break;
    }
    out += c >= ' ' && c <= '~' ? c : '?';
  }
  return out;
}

std::string type_name(tflite::TensorType type) {
  const char* name = tflite::EnumNameTensorType(type);
  return *name != '\0' ? std::string(name) : "TYPE_" + std::to_string(static_cast<int>(type));
}

// Bytes per element; nothing for types without a fixed size of whole bytes.
std::optional<uint64_t> width_of(tflite::TensorType type) {
  using tflite::TensorType;
  switch (type) {
    case TensorType::INT8:
    case TensorType::UINT8:
    case TensorType::BOOL:
      return 1;
    case TensorType::FLOAT16:
    case TensorType::INT16:
    case TensorType::UINT16:
      return 2;
    case TensorType::FLOAT32:
    case TensorType::INT32:
    case TensorType::UINT32:
      return 4;
    case TensorType::INT64:
    case TensorType::UINT64:
    case TensorType::FLOAT64:
    case TensorType::COMPLEX64:
      return 8;
    case TensorType::COMPLEX128:
      return 16;
    case TensorType::STRING:
    case TensorType::RESOURCE:
    case TensorType::VARIANT:
    case TensorType::INT4:
      break;
  }
  return std::nullopt;
}

class Inspector {
 public:
  explicit Inspector(const tflite::Model& model) : model_(model) {}

  Result<TfliteSummary> run();
  Result<TfliteTensor> run_tensor(int32_t index);

 private:
  Status open();
  Status check_tensors();
  Result<TfliteTensor> tensor(int32_t index) const;
  Status read_operators();
  Status check_indices(const flatbuffers::Vector<int32_t>* indices, const std::string& owner,
                       bool optional) const;
  Status read_ends(const flatbuffers::Vector<int32_t>* indices, const char* which,
                   std::vector<TfliteTensor>& out) const;
  size_t tensor_count() const { return tensors_ == nullptr ? 0 : tensors_->size(); }

  const tflite::Model& model_;
  const tflite::SubGraph* graph_ = nullptr;
  const flatbuffers::Vector<flatbuffers::Offset<tflite::Tensor>>* tensors_ = nullptr;
  TfliteSummary summary_;
};

Result<TfliteTensor> Inspector::tensor(int32_t index) const {
  const tflite::Tensor& from = *tensors_->Get(static_cast<flatbuffers::uoffset_t>(index));
  TfliteTensor out;
  out.index = index;
  out.name = printable(from.name());
  out.type = type_name(from.type());
  const std::string label = "tensor " + std::to_string(index) + " (" + out.name + ")";
  uint64_t elements = 1;
  if (from.shape() != nullptr) {
    if (from.shape()->size() > kRankMax) {
      return invalid("TFLITE_TOO_LARGE", fmt::format("{} has {} dimensions; {} is the limit", label,
                                                     from.shape()->size(), kRankMax));
    }
    for (const int32_t dim : *from.shape()) {
      if (dim == -1) {
        return invalid("TFLITE_DYNAMIC_SHAPE",
                       label +
                           " has a size that is known at run time only (-1, often the batch): "
                           "export with fixed sizes, e.g. from a function whose input is [1, ...]");
      }
      if (dim < 0) {
        return corrupt(label + " has a negative dimension");
      }
      elements *= static_cast<uint64_t>(dim);
      if (elements > kTensorBytesMax) {
        return invalid("TFLITE_TOO_LARGE",
                       fmt::format("{} has more elements than {}", label, kTensorBytesMax));
      }
      out.shape.push_back(dim);
    }
  }
  out.size_bytes = elements * width_of(from.type()).value_or(0);
  const tflite::Quantization* quantization = from.quantization();
  if (quantization != nullptr && quantization->scale() != nullptr &&
      quantization->scale()->size() > 0) {
    out.quantized = true;
    out.scale = quantization->scale()->Get(0);
    if (quantization->zero_point() != nullptr && quantization->zero_point()->size() > 0) {
      // The verifier leaves the elements of a vector unaligned where the file has them so.
      int64_t little_endian = 0;
      std::memcpy(&little_endian, quantization->zero_point()->Data(), sizeof little_endian);
      out.zero_point = flatbuffers::EndianScalar(little_endian);
    }
  }
  return out;
}

Status Inspector::check_tensors() {
  if (tensor_count() > kTfliteTensorsMax) {
    return invalid("TFLITE_TOO_LARGE", "the model has " + std::to_string(tensor_count()) +
                                           " tensors; " + std::to_string(kTfliteTensorsMax) +
                                           " is the limit");
  }
  const size_t buffers = model_.buffers() == nullptr ? 0 : model_.buffers()->size();
  for (size_t i = 0; i < tensor_count(); ++i) {
    Result<TfliteTensor> checked = tensor(static_cast<int32_t>(i));
    if (!checked) {
      return checked.error();
    }
    const tflite::Tensor& from = *tensors_->Get(static_cast<flatbuffers::uoffset_t>(i));
    const std::string label = "tensor " + std::to_string(i) + " (" + checked->name + ")";
    if (from.buffer() == 0 && buffers == 0) {
      continue;
    }
    if (from.buffer() >= buffers) {
      return corrupt(label + " names buffer " + std::to_string(from.buffer()) + " of " +
                     std::to_string(buffers));
    }
    const auto* data = model_.buffers()->Get(from.buffer())->data();
    if (data != nullptr && data->size() > 0 && from.sparsity() == nullptr &&
        width_of(from.type()) && data->size() != checked->size_bytes) {
      return corrupt(label + " has " + std::to_string(data->size()) + " bytes of data, its shape " +
                     std::to_string(checked->size_bytes));
    }
  }
  return {};
}

Status Inspector::check_indices(const flatbuffers::Vector<int32_t>* indices,
                                const std::string& owner, bool optional) const {
  if (indices == nullptr) {
    return {};
  }
  for (const int32_t index : *indices) {
    if (index == -1 && optional) {
      continue;
    }
    if (index < 0 || static_cast<size_t>(index) >= tensor_count()) {
      return corrupt(owner + " names tensor " + std::to_string(index) + " of " +
                     std::to_string(tensor_count()));
    }
  }
  return {};
}

Status Inspector::read_operators() {
  const auto* codes = model_.operator_codes();
  const auto* operators = graph_->operators();
  if (operators == nullptr || operators->size() == 0) {
    return invalid("TFLITE_UNSUPPORTED", "the model has no operators");
  }
  if (operators->size() > kTfliteOperatorsMax) {
    return invalid("TFLITE_TOO_LARGE", "the model has " + std::to_string(operators->size()) +
                                           " operators; " + std::to_string(kTfliteOperatorsMax) +
                                           " is the limit");
  }
  std::set<TfliteOperator> kinds;
  for (flatbuffers::uoffset_t i = 0; i < operators->size(); ++i) {
    const tflite::Operator& step = *operators->Get(i);
    const std::string label = "operator " + std::to_string(i);
    if (codes == nullptr || step.opcode_index() >= codes->size()) {
      return corrupt(label + " names operator code " + std::to_string(step.opcode_index()));
    }
    const tflite::OperatorCode& code = *codes->Get(step.opcode_index());
    TfliteOperator kind;
    // Old files carry the code in a byte, new ones in an int: the greater one holds.
    kind.builtin = std::max<int32_t>(code.deprecated_builtin_code(), code.builtin_code());
    kind.version = code.version();
    if (kind.builtin == kBuiltinCustom) {
      kind.custom = printable(code.custom_code());
    }
    const std::string named = label + " (" + to_string(kind) + ")";
    if (Status status = check_indices(step.inputs(), named, true); !status) {
      return status;
    }
    if (Status status = check_indices(step.outputs(), named, false); !status) {
      return status;
    }
    kinds.insert(std::move(kind));
  }
  summary_.operator_count = operators->size();
  summary_.operators.assign(kinds.begin(), kinds.end());
  summary_.operator_set_hash = operator_set_hash(summary_.operators);
  return {};
}

Status Inspector::read_ends(const flatbuffers::Vector<int32_t>* indices, const char* which,
                            std::vector<TfliteTensor>& out) const {
  constexpr size_t kEndsMax = 64;
  if (indices == nullptr || indices->size() == 0 || indices->size() > kEndsMax) {
    return invalid("TFLITE_UNSUPPORTED",
                   fmt::format("the model has {} {}s, it needs 1 to {}",
                               indices == nullptr ? 0 : indices->size(), which, kEndsMax));
  }
  if (Status status = check_indices(indices, std::string("the model's ") + which, false); !status) {
    return status;
  }
  for (const int32_t index : *indices) {
    Result<TfliteTensor> read = tensor(index);
    if (!read) {
      return read.error();
    }
    out.push_back(std::move(read).value());
  }
  return {};
}

Status Inspector::open() {
  if (model_.version() != 3) {
    return invalid("NOT_TFLITE", "schema version " + std::to_string(model_.version()) +
                                     "; only version 3 is known");
  }
  if (model_.subgraphs() == nullptr || model_.subgraphs()->size() != 1) {
    return invalid("TFLITE_UNSUPPORTED",
                   fmt::format("the model has {} subgraphs, it must have one (no control flow)",
                               model_.subgraphs() == nullptr ? 0 : model_.subgraphs()->size()));
  }
  graph_ = model_.subgraphs()->Get(0);
  tensors_ = graph_->tensors();
  return check_tensors();
}

Result<TfliteTensor> Inspector::run_tensor(int32_t index) {
  if (Status status = open(); !status) {
    return status.error();
  }
  if (index < 0 || static_cast<size_t>(index) >= tensor_count()) {
    return not_found(fmt::format("no tensor {} among {}", index, tensor_count()));
  }
  return tensor(index);
}

Result<TfliteSummary> Inspector::run() {
  if (Status status = open(); !status) {
    return status.error();
  }
  if (Status status = read_operators(); !status) {
    return status.error();
  }
  if (Status status = read_ends(graph_->inputs(), "input", summary_.inputs); !status) {
    return status.error();
  }
  if (Status status = read_ends(graph_->outputs(), "output", summary_.outputs); !status) {
    return status.error();
  }
  return std::move(summary_);
}

}  // namespace

std::string to_string(const TfliteOperator& op) {
  if (!op.custom.empty()) {
    return "CUSTOM(" + op.custom + ")";
  }
  const std::string_view name = tflite_operator_name(op.builtin);
  return name.empty() ? "BUILTIN_" + std::to_string(op.builtin) : std::string(name);
}

namespace {

// What `look` finds in a file that is well-formed.
template <typename Look>
auto look_into(ByteView model, const Look& look) -> decltype(look(std::declval<Inspector&>())) {
  if (model.size() > kTfliteBytesMax) {
    return invalid("TFLITE_TOO_LARGE", fmt::format("the model has {} bytes; {} is the limit",
                                                   model.size(), kTfliteBytesMax));
  }
  if (model.size() < 8 || !tflite::ModelBufferHasIdentifier(model.data())) {
    return invalid("NOT_TFLITE", "the file does not start like a .tflite (identifier TFL3)");
  }
  // The verifier needs every offset to be aligned in memory, as the file's writer aligned it.
  const Bytes copy(model.begin(), model.end());
  flatbuffers::Verifier verifier(copy.data(), copy.size());
  if (!tflite::VerifyModelBuffer(verifier)) {
    return corrupt("the file is truncated or something in it points outside");
  }
  Inspector inspector(*tflite::GetModel(copy.data()));
  return look(inspector);
}

}  // namespace

Result<TfliteSummary> inspect_tflite(ByteView model) {
  Result<TfliteSummary> summary =
      look_into(model, [](Inspector& inspector) { return inspector.run(); });
  if (summary) {
    summary->size_bytes = model.size();
  }
  return summary;
}

Result<TfliteTensor> inspect_tensor(ByteView model, int32_t index) {
  return look_into(model, [&](Inspector& inspector) { return inspector.run_tensor(index); });
}

Digest operator_set_hash(std::vector<TfliteOperator> operators) {
  std::sort(operators.begin(), operators.end());
  operators.erase(std::unique(operators.begin(), operators.end()), operators.end());
  std::string lines;
  for (const TfliteOperator& op : operators) {
    lines += std::to_string(op.builtin) + ":" + std::to_string(op.version) + ":" + op.custom + "\n";
  }
  return sha256(as_bytes(lines));
}

uint64_t operator_set_number(const Digest& hash) {
  uint64_t number = 0;
  for (size_t i = 0; i < 8; ++i) {
    number |= static_cast<uint64_t>(hash.bytes[i]) << (8 * i);
  }
  return number;
}

Status check_operators(const TfliteSummary& summary, std::span<const SupportedOperator> supported) {
  std::vector<std::string> missing;
  for (const TfliteOperator& op : summary.operators) {
    const auto found = std::find_if(
        supported.begin(), supported.end(),
        [&](const SupportedOperator& candidate) { return candidate.builtin == op.builtin; });
    if (found == supported.end()) {
      missing.push_back(to_string(op));
    } else if (op.version < 1 || op.version > found->version_max) {
      missing.push_back(fmt::format("version {} of {} (it has 1 to {})", op.version, to_string(op),
                                    found->version_max));
    }
  }
  if (missing.empty()) {
    return {};
  }
  return invalid("UNSUPPORTED_OPERATOR",
                 fmt::format("the runtime does not have: {}", fmt::join(missing, ", ")));
}

}  // namespace covey
