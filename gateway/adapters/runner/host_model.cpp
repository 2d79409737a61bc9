// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/runner/host_model.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "device_agent/runtimes/reference/reference_config.h"
#include "device_agent/runtimes/reference/reference_runtime.h"
#include "gateway/adapters/runner/refusal.hpp"

namespace covey {
namespace {

struct AlignedDelete {
  void operator()(uint8_t* bytes) const {
    ::operator delete[](bytes, std::align_val_t{COVEY_ARENA_ALIGN});
  }
};
using AlignedBytes = std::unique_ptr<uint8_t[], AlignedDelete>;

AlignedBytes aligned_bytes(size_t size) {
  return AlignedBytes(static_cast<uint8_t*>(
      ::operator new[](std::max<size_t>(size, 1), std::align_val_t{COVEY_ARENA_ALIGN})));
}

}  // namespace

struct HostModel::Loaded {
  AlignedBytes model;
  size_t model_bytes = 0;
  AlignedBytes arena;
  size_t arena_bytes = 0;
  covey_reference_t reference{};
  covey_runtime_t runtime{};  // its context is `reference`
  covey_model_format_t format{};

  Error refusal(int error, const covey_reference_fault_t& fault) const {
    return refusal_of({model.get(), model_bytes}, error, fault);
  }
};

HostModel::HostModel(std::unique_ptr<Loaded> loaded) : loaded_(std::move(loaded)) {}
HostModel::~HostModel() = default;
HostModel::HostModel(HostModel&&) noexcept = default;
HostModel& HostModel::operator=(HostModel&&) noexcept = default;

Result<HostModel> HostModel::open(ByteView model) {
  auto loaded = std::make_unique<Loaded>();
  loaded->model = aligned_bytes(model.size());
  loaded->model_bytes = model.size();
  std::copy(model.begin(), model.end(), loaded->model.get());
  covey_reference_init(&loaded->reference);
  loaded->runtime = covey_reference_runtime(&loaded->reference);
  const covey_runtime_t& runtime = loaded->runtime;
  const int error = runtime.arena_required(runtime.ctx, loaded->model.get(), loaded->model_bytes,
                                           &loaded->arena_bytes);
  if (error != 0) return loaded->refusal(error, loaded->reference.fault);
  return HostModel(std::move(loaded));
}

size_t HostModel::arena_bytes() const { return loaded_->arena_bytes; }

Status HostModel::load() {
  Loaded& l = *loaded_;
  l.arena = aligned_bytes(l.arena_bytes);
  int error =
      l.runtime.load(l.runtime.ctx, l.model.get(), l.model_bytes, l.arena.get(), l.arena_bytes);
  if (error == 0) error = l.runtime.describe(l.runtime.ctx, &l.format);
  if (error != 0) return l.refusal(error, l.reference.fault);
  return {};
}

size_t HostModel::activations() const { return loaded_->reference.activations; }
size_t HostModel::activations_of_firmware() { return COVEY_REFERENCE_DEFAULT_ACTIVATIONS; }
uint64_t HostModel::work() const { return loaded_->reference.work; }
size_t HostModel::input_bytes() const { return loaded_->format.input.size_bytes; }
size_t HostModel::output_bytes() const { return loaded_->format.output.size_bytes; }

Status HostModel::invoke(ByteView input, std::span<uint8_t> output) {
  const covey_runtime_t& runtime = loaded_->runtime;
  const int error =
      runtime.invoke(runtime.ctx, reinterpret_cast<const int8_t*>(input.data()), input.size(),
                     reinterpret_cast<int8_t*>(output.data()), output.size());
  if (error != 0) return loaded_->refusal(error, {error, -1, -1, -1});
  return {};
}

}  // namespace covey
