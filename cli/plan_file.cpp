#include "cli/plan_file.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "core/yaml/yaml.hpp"

namespace covey::cli {
namespace {

using Read = std::function<void(const YamlNode&, const std::string&)>;
struct Key {
  std::string_view name;
  Read read;
};
using Keys = std::vector<Key>;

// Walks the document along what a plan may have; whatever else is there is a problem.
class Reader {
 public:
  explicit Reader(PlanFile& file) : file_(file) {}

  void document(const YamlNode& root) {
    std::string version;
    std::string kind;
    PlanDocument& plan = file_.document;
    mapping(root, "",
            {{"apiVersion", text(version)},
             {"kind", text(kind)},
             {"metadata",
              [&](const YamlNode& node, const std::string& path) {
                mapping(node, path, {{"name", text(plan.name)}});
              }},
             {"spec", [&](const YamlNode& node, const std::string& path) { spec(node, path); }}});
    if (version != "covey/v1") problem("apiVersion", "write 'apiVersion: covey/v1'");
    if (kind != "Rollout") problem("kind", "write 'kind: Rollout'");
  }

  void problem(const std::string& path, std::string message) {
    file_.problems.push_back({line_of(path), path, std::move(message)});
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

 private:
  void note(const YamlNode& node, const std::string& path) { lines_[path] = node.line; }

  void mapping(const YamlNode& node, const std::string& path, const Keys& keys) {
    note(node, path);
    if (!node.is_map()) {
      return problem(path, "must be a mapping of " + names(keys));
    }
    std::set<std::string> seen;
    for (const YamlNode& entry : node.items) {
      const std::string& name = entry.key;
      const std::string here = path.empty() ? name : path + "." + name;
      lines_[here] = entry.key_line;
      const auto key =
          std::find_if(keys.begin(), keys.end(), [&](const Key& k) { return k.name == name; });
      if (key == keys.end()) {
        problem(here, "unknown key; known here: " + names(keys));
      } else if (!seen.insert(name).second) {
        problem(here, "given twice");
      } else {
        key->read(entry, here);
      }
    }
  }

  static std::string names(const Keys& keys) {
    std::string list;
    for (const Key& key : keys) list += (list.empty() ? "" : ", ") + std::string(key.name);
    return list;
  }

  Read text(std::string& to) {
    return [this, &to](const YamlNode& node, const std::string& path) {
      if (!node.is_text() || node.text.empty()) {
        return problem(path, "must be a text, and not empty: leave the key out instead");
      }
      to = node.text;
    };
  }

  template <typename Number>
  Read number(Number& to) {
    return [this, &to](const YamlNode& node, const std::string& path) {
      uint32_t value = 0;
      const std::string& digits = node.text;
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), value);
      if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
        return problem(path, "must be a whole number, 0 or more");
      }
      to = value;
    };
  }

  template <typename Item>
  Read list(std::vector<Item>& to, size_t most,
            void (Reader::*read)(Item&, const YamlNode&, const std::string&)) {
    return [this, &to, most, read](const YamlNode& node, const std::string& path) {
      note(node, path);
      if (!node.is_list()) return problem(path, "must be a list: lines that start with '-'");
      if (node.items.size() > most) return problem(path, "at most " + std::to_string(most));
      for (size_t i = 0; i < node.items.size(); ++i) {
        const std::string here = path + "[" + std::to_string(i) + "]";
        note(node.items[i], here);
        (this->*read)(to.emplace_back(), node.items[i], here);
      }
    };
  }

  void spec(const YamlNode& node, const std::string& path) {
    PlanDocument& plan = file_.document;
    mapping(node, path,
            {{"release", text(plan.release)},
             {"target", text(plan.target)},
             {"strata", list(plan.strata, kStrataMax, &Reader::stratum)},
             {"holdback", text(plan.holdback)},
             {"seed", text(plan.seed)},
             {"stages", list(plan.stages, kStagesMax, &Reader::stage)},
             {"gates", list(plan.gates, kGatesMax, &Reader::gate)},
             {"on_fail", text(plan.on_fail)},
             {"attempt",
              [&](const YamlNode& n, const std::string& p) {
                mapping(n, p,
                        {{"deadline", text(plan.attempt.deadline)},
                         {"retries", number(plan.attempt.retries)},
                         {"backoff", text(plan.attempt.backoff)}});
              }},
             {"offline", [&](const YamlNode& n, const std::string& p) {
                mapping(n, p, {{"skip_after", text(plan.offline.skip_after)}});
              }}});
  }

  void stratum(std::string& to, const YamlNode& node, const std::string& path) {
    text(to)(node, path);
  }

  void stage(StageDocument& to, const YamlNode& node, const std::string& path) {
    mapping(node, path,
            {{"name", text(to.name)},
             {"mode", text(to.mode)},
             {"size", text(to.size)},
             {"soak", text(to.soak)},
             {"max_in_flight", number(to.max_in_flight)},
             {"window", text(to.window)},
             {"approval", text(to.approval)},
             {"timeout", text(to.timeout)},
             {"gates", list(to.gates, kGatesMax, &Reader::gate)}});
  }

  void gate(GateDocument& to, const YamlNode& node, const std::string& path) {
    const auto kind = [this](auto& gate, auto keys) {
      return [this, &gate, keys](const YamlNode& n, const std::string& p) {
        mapping(n, p, keys(gate.emplace()));
      };
    };
    mapping(node, path,
            {{"failures", kind(to.failures,
                               [this](auto& g) {
                                 return Keys{{"max", text(g.max)},
                                             {"of", text(g.of)},
                                             {"min_sample", number(g.min_sample)}};
                               })},
             {"silence", kind(to.silence,
                              [this](auto& g) {
                                return Keys{{"max", text(g.max)}};
                              })},
             {"accuracy", kind(to.accuracy,
                               [this](auto& g) {
                                 return Keys{{"non_inferior_by", text(g.non_inferior_by)},
                                             {"alpha", text(g.alpha)},
                                             {"per", text(g.per)},
                                             {"min_sample", number(g.min_sample)}};
                               })},
             {"drift", kind(to.drift,
                            [this](auto& g) {
                              return Keys{{"max_psi", text(g.max_psi)}};
                            })},
             {"latency", kind(to.latency,
                              [this](auto& g) {
                                return Keys{{"p95_max", text(g.p95_max)}};
                              })},
             {"agreement", kind(to.agreement, [this](auto& g) {
                return Keys{{"min", text(g.min)}};
              })}});
  }

  PlanFile& file_;
  std::map<std::string, int> lines_;
};

}  // namespace

PlanFile read_plan_file(const std::string& yaml) {
  PlanFile file;
  const YamlReading reading = covey::read_yaml(yaml);
  for (const YamlProblem& problem : reading.problems) {
    file.problems.push_back({problem.line, "", "not a plan: " + problem.message});
  }
  if (!file.problems.empty()) return file;
  Reader reader(file);
  reader.document(reading.root);
  if (!file.problems.empty()) return file;
  for (const PlanProblem& problem : read_plan(file.document).problems) {
    reader.problem(problem.path, problem.message);
  }
  return file;
}

Error to_error(const std::vector<PlanFileProblem>& problems, std::string_view file) {
  std::string text;
  for (const PlanFileProblem& problem : problems) {
    if (!text.empty()) text += '\n';
    text += std::string(file) + ":";
    if (problem.line > 0) text += std::to_string(problem.line) + ":";
    if (!problem.path.empty()) text += " " + problem.path + ":";
    text += " " + problem.message;
  }
  return invalid("BAD_PLAN", std::move(text));
}

}  // namespace covey::cli
