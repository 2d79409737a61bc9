// SPDX-License-Identifier: Apache-2.0
#include "cli/files/plan_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <utility>

#include "core/nearest.hpp"
#include "core/yaml/yaml.hpp"

namespace covey::cli {
namespace {

struct Metadata {
  std::string name;
};
void fields(auto& visit, Like<Metadata> auto& metadata) {
  auto& [name] = metadata;
  visit("name", name);
}

// The document without its name.
struct Spec {
  PlanDocument document;
};
void fields(auto& visit, Like<Spec> auto& spec) { spec_fields(visit, spec.document); }

// The whole file.
struct File {
  std::string version;
  std::string kind;
  Metadata metadata;
  Spec spec;
};
void fields(auto& visit, Like<File> auto& file) {
  auto& [version, kind, metadata, spec] = file;
  visit("apiVersion", version);
  visit("kind", kind);
  visit("metadata", metadata);
  visit("spec", spec);
}

// Walks the document along what a plan may have; whatever else is there is a problem.
class Reader {
 public:
  explicit Reader(PlanFile& file) : file_(file) {}

  void document(const YamlNode& root) {
    File file;
    read(root, "", file);
    if (file.version != "covey/v1") problem("apiVersion", "write 'apiVersion: covey/v1'");
    if (file.kind != "Rollout") problem("kind", "write 'kind: Rollout'");
    file_.document = std::move(file.spec.document);
    file_.document.name = std::move(file.metadata.name);
  }

  void problem(const std::string& path, std::string message) {
    file_.problems.push_back({line_of(path), path, std::move(message)});
  }

  // A problem of meaning, unless the value (or what it is in) has one of form: that says more.
  void problem_of_meaning(const std::string& path, std::string message) {
    const auto within = [&](const std::string& whole) {
      return path == whole || (path.starts_with(whole) && path.size() > whole.size() &&
                               (path[whole.size()] == '.' || path[whole.size()] == '['));
    };
    if (std::none_of(malformed_.begin(), malformed_.end(), within)) {
      problem(path, std::move(message));
    }
  }

 private:
  // Visits the fields of a document: reads the one that the entry names.
  struct Entry {
    Reader& reader;
    const YamlNode& node;
    const std::string& path;
    bool known = false;
    std::vector<std::string> names = {};

    template <typename T>
    void operator()(const char* name, T& to) {
      names.emplace_back(name);
      if (node.key != name) return;
      known = true;
      reader.read(node, path, to);
    }
  };
  struct Names {
    std::vector<std::string> names;
    void operator()(const char* name, const auto&) { names.emplace_back(name); }
  };

  // Of a value that is not read: nothing is said of what it would mean.
  void malformed(const std::string& path, std::string message) {
    malformed_.insert(path);
    problem(path, std::move(message));
  }

  void read(const YamlNode& node, const std::string& path, std::string& to) {
    if (!node.is_text() || node.text.empty()) {
      return malformed(path, "must be a text, and not empty: leave the key out instead");
    }
    to = node.text;
  }

  void read(const YamlNode& node, const std::string& path, uint32_t& to) {
    const std::string& digits = node.text;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), to);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
      to = 0;
      malformed(path, "must be a whole number, 0 to 4294967295");
    }
  }

  template <typename T>
  void read(const YamlNode& node, const std::string& path, std::optional<T>& to) {
    read(node, path, to.emplace());
  }

  template <typename T>
  void read(const YamlNode& node, const std::string& path, std::vector<T>& to) {
    lines_[path] = node.line;
    if (!node.is_list()) return malformed(path, "must be a list: lines that start with '-'");
    if (node.items.size() > kEntriesMax<T>) {
      return malformed(path, fmt::format("has {} entries; at most {} are allowed",
                                         node.items.size(), kEntriesMax<T>));
    }
    for (size_t i = 0; i < node.items.size(); ++i) {
      const std::string here = fmt::format("{}[{}]", path, i);
      lines_[here] = node.items[i].line;
      read(node.items[i], here, to.emplace_back());
    }
  }

  template <typename Document>
  void read(const YamlNode& node, const std::string& path, Document& to) {
    lines_[path] = node.line;
    if (!node.is_map()) {
      Names known;
      fields(known, to);
      return malformed(path, fmt::format("must be a mapping of {}", fmt::join(known.names, ", ")));
    }
    std::set<std::string> seen;
    for (const YamlNode& item : node.items) {
      const std::string here = path.empty() ? item.key : path + "." + item.key;
      lines_[here] = item.key_line;
      if (!seen.insert(item.key).second) {
        problem(here, "given twice");
        continue;
      }
      Entry entry{*this, item, here};
      fields(entry, to);
      if (entry.known) continue;
      problem(here, fmt::format("unknown key; known here: {}{}", fmt::join(entry.names, ", "),
                                did_you_mean(item.key, entry.names)));
    }
  }

  // Of the path, or of what it is in.
  int line_of(std::string path) const {
    for (;;) {
      const auto line = lines_.find(path);
      if (line != lines_.end()) return line->second;
      const size_t cut = path.find_last_of(".[");
      if (cut == std::string::npos) return path.empty() ? 0 : line_of("");
      path.resize(cut);
    }
  }

  PlanFile& file_;
  std::map<std::string, int> lines_;
  std::set<std::string> malformed_;
};

}  // namespace

PlanFile read_plan_file(const std::string& yaml, const PlanOverrides& overrides) {
  PlanFile file;
  const YamlReading reading = read_yaml(yaml);
  for (const YamlProblem& problem : reading.problems) {
    file.problems.push_back({problem.line, "", fmt::format("not a plan: {}", problem.message)});
  }
  if (!file.problems.empty()) return file;
  Reader reader(file);
  reader.document(reading.root);
  if (!reading.root.is_map()) return file;
  if (!overrides.name.empty()) file.document.name = overrides.name;
  if (!overrides.release.empty()) file.document.release = overrides.release;
  if (!overrides.source.empty()) file.document.source = overrides.source;
  for (const PlanProblem& problem : read_plan(file.document).problems) {
    reader.problem_of_meaning(problem.path, problem.message);
  }
  std::stable_sort(
      file.problems.begin(), file.problems.end(),
      [](const PlanFileProblem& a, const PlanFileProblem& b) { return a.line < b.line; });
  return file;
}

Error to_error(const std::vector<PlanFileProblem>& problems, std::string_view file) {
  std::string text;
  for (const PlanFileProblem& problem : problems) {
    if (!text.empty()) text += '\n';
    text += fmt::format("{}:", file);
    if (problem.line > 0) text += fmt::format("{}:", problem.line);
    if (!problem.path.empty()) text += fmt::format(" {}:", problem.path);
    text += fmt::format(" {}", problem.message);
  }
  return invalid("BAD_PLAN", std::move(text));
}

}  // namespace covey::cli
