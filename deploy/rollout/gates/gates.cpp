// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/gates/gates.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace covey {
namespace {

template <typename... Gates>
std::string names_of(const std::variant<Gates...>*) {
  std::string names;
  ((names += fmt::format("{}{}", names.empty() ? "" : ", ", Gates::kName)), ...);
  return names;
}

// Visits the members of a GateDocument.
struct KindCounter {
  int kinds = 0;
  void operator()(const char*, const auto& words) { kinds += words.has_value() ? 1 : 0; }
};
struct KindReader {
  const std::string& path;
  PlanValues& values;
  std::optional<Gate> gate;
  void operator()(const char* name, const auto& words) {
    if (words) gate = read_gate(*words, fmt::format("{}.{}", path, name), values);
  }
};

// Visits the fields of one gate's document.
struct TextWriter {
  std::string text;
  void add(const char* name, const auto& value) {
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", name, value);
  }
  void operator()(const char* name, const std::string& value) {
    if (!value.empty()) add(name, value);
  }
  void operator()(const char* name, const std::optional<uint32_t>& value) {
    if (value) add(name, *value);
  }
};

}  // namespace

std::string_view to_string(Denominator of) {
  switch (of) {
    case Denominator::kTargeted:
      return "targeted";
    case Denominator::kAttempted:
      return "attempted";
    case Denominator::kReported:
      return "reported";
  }
  return "unknown";
}

std::string_view name_of(const Gate& gate) {
  return std::visit([]<typename G>(const G&) { return G::kName; }, gate);
}

std::string to_string(const Gate& gate) {
  TextWriter writer;
  std::visit(
      [&](const auto& kind) {
        const auto document = document_of(kind);
        fields(writer, document);
      },
      gate);
  return fmt::format("{} {{{}}}", name_of(gate), writer.text);
}

std::vector<Gate> read_gates(const std::vector<GateDocument>& documents, const std::string& path,
                             PlanValues& values) {
  std::vector<Gate> gates;
  if (documents.size() > kGatesMax) {
    values.bad(path, fmt::format("has more than {} entries", kGatesMax));
    return gates;
  }
  for (size_t i = 0; i < documents.size(); ++i) {
    const std::string where = entry_of(path, i);
    KindCounter counter;
    fields(counter, documents[i]);
    if (counter.kinds != 1) {
      values.bad(where, "expected exactly one of " + names_of(static_cast<const Gate*>(nullptr)));
      continue;
    }
    KindReader reader{where, values, std::nullopt};
    fields(reader, documents[i]);
    if (!reader.gate) continue;
    const bool repeated = std::any_of(gates.begin(), gates.end(), [&](const Gate& other) {
      return other.index() == reader.gate->index();
    });
    if (repeated) {
      values.bad(where,
                 fmt::format("a second {} gate: each kind at most once", name_of(*reader.gate)));
      continue;
    }
    gates.push_back(*std::move(reader.gate));
  }
  return gates;
}

}  // namespace covey
