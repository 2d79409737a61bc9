// SPDX-License-Identifier: Apache-2.0
// covey-stat-cases FILE.json: do the product's statistics agree with figures that others published
// or computed? The file is like tests/vectors/monitoring_cases.json, with any numbers.
// Prints a line per case and a sum. Ends with 0 when all agree, 1 when one differs or asks for a
// method that is not known, 2 when the file makes no sense.
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "tools/statistics/case.hpp"
#include "tools/statistics/methods.hpp"

namespace covey::cases {
namespace {

constexpr size_t kBytesMax = size_t{64} << 20;
constexpr int kDepthMax = 32;
constexpr size_t kShownMax = 160;

// Where the two differ, if they do: the path within `expected`.
std::optional<std::string> difference(const Json& expected, const Json& got, double tol,
                                      const std::string& at) {
  if (expected.is_number() && got.is_number()) {
    const double want = expected.get<double>();
    const double off = std::abs(got.get<double>() - want);
    if (off <= tol * std::max(1.0, std::abs(want))) return std::nullopt;
    return at;
  }
  if (expected.is_array() && got.is_array() && expected.size() == got.size()) {
    for (size_t i = 0; i < expected.size(); ++i) {
      auto found = difference(expected[i], got[i], tol, fmt::format("{}[{}]", at, i));
      if (found) return found;
    }
    return std::nullopt;
  }
  if (expected.is_object() && got.is_object()) {
    for (const auto& [name, value] : expected.items()) {
      const std::string path = at.empty() ? name : fmt::format("{}.{}", at, name);
      if (!got.contains(name)) return path + " (not found by the method)";
      auto found = difference(value, got[name], tol, path);
      if (found) return found;
    }
    return std::nullopt;
  }
  return expected == got ? std::nullopt : std::optional(at);
}

std::string shown(const Json& json) {
  std::string text = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() <= kShownMax) return text;
  return fmt::format("{}... ({} bytes)", text.substr(0, kShownMax), text.size());
}

// One line, whatever the file calls its cases.
std::string quiet(const std::string& text) {
  std::string line = Json(text).dump(-1, ' ', true, Json::error_handler_t::replace);
  return line.substr(1, line.size() - 2);
}

std::string read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw BadCase("cannot be opened");
  std::string text;
  std::string block(1 << 16, '\0');
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())), file.gcount() > 0) {
    text.append(block, 0, static_cast<size_t>(file.gcount()));
    if (text.size() > kBytesMax) throw BadCase(fmt::format("is larger than {} bytes", kBytesMax));
  }
  if (file.bad()) throw BadCase("cannot be read");
  return text;
}

Json parse(const std::string& text) {
  try {
    return Json::parse(text, [](int depth, Json::parse_event_t, Json&) {
      if (depth > kDepthMax) throw BadCase(fmt::format("is nested deeper than {}", kDepthMax));
      return true;
    });
  } catch (const Json::exception& error) {
    throw BadCase(fmt::format("is no JSON: {}", quiet(error.what())));
  }
}

Methods all_methods() {
  Methods methods = histogram_methods();
  for (Methods part : {share_methods(), boundary_methods(), series_methods()}) {
    methods.merge(part);
  }
  return methods;
}

struct Sum {
  int agree = 0;
  int differ = 0;
  int unknown = 0;
};

void evaluate(const Case& c, const Methods& methods, Sum& sum) {
  const auto method = methods.find(c.method);
  if (method == methods.end()) {
    ++sum.unknown;
    fmt::print("{}  UNKNOWN  there is no method {}\n", quiet(c.id), quiet(c.method));
    return;
  }
  Found found;
  try {
    found = method->second(c);
  } catch (const Json::exception& error) {
    c.inputs.bad(error.what());
  }
  Json expected = c.expected.json();
  for (const std::string& name : found.given) expected.erase(name);
  const auto apart = difference(expected, found.got, c.tol, "");
  ++(apart ? sum.differ : sum.agree);
  fmt::print("{}  expected {}  got {}  {}{}\n", quiet(c.id), shown(expected), shown(found.got),
             apart ? "DIFFER" : "AGREE", apart ? " in " + quiet(*apart) : "");
}

Sum evaluate_file(const char* path) {
  const Json document = parse(read_file(path));
  const Methods methods = all_methods();
  const Value cases = Value(document, "the document").at("cases");
  if (cases.size() == 0) cases.bad("has no case: nothing would be shown");
  Sum sum;
  for (size_t i = 0; i < cases.size(); ++i) {
    const std::string id = cases.at(i).at("id").text();
    const Value one(cases.at(i).json(), fmt::format("case {} (\"{}\")", i, quiet(id)));
    const Case c{id,
                 one.at("method").text(),
                 one.at("tol").number(0, 1e6),
                 one.at("inputs"),
                 one.at("expected"),
                 cases.json()};
    if (!c.inputs.json().is_object()) c.inputs.bad("should be an object");
    if (!c.expected.json().is_object() || c.expected.json().empty()) {
      c.expected.bad("should be an object with something in it");
    }
    evaluate(c, methods, sum);
  }
  return sum;
}

}  // namespace
}  // namespace covey::cases

int main(int argc, char** argv) {
  if (argc != 2 || std::string(argv[1]).starts_with("-")) {
    const bool asked = argc == 2 && std::string(argv[1]) == "--help";
    fmt::print(asked ? stdout : stderr,
               "usage: covey-stat-cases FILE.json\n"
               "Evaluates reference cases like those of tests/vectors/monitoring_cases.json.\n");
    return asked ? 0 : 2;
  }
  try {
    const covey::cases::Sum sum = covey::cases::evaluate_file(argv[1]);
    fmt::print("{} agree, {} differ, {} unknown\n", sum.agree, sum.differ, sum.unknown);
    return sum.differ + sum.unknown == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fflush(stdout);
    fmt::print(stderr, "covey-stat-cases: {}: {}\n", argv[1], error.what());
    return 2;
  }
}
