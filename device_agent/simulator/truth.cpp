// SPDX-License-Identifier: Apache-2.0
#include "device_agent/simulator/truth.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "device_agent/simulator/random.hpp"

namespace covey::simulator {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kHeader =
    "kind,wall_ms,device,boot,inference,manifest,slot,machine_type,true,predicted,confidence\n";

Error file_error(const std::string& path, std::string_view what) {
  return Error{Code::kUnavailable, "TRUTH_FILE",
               fmt::format("truth file {}: {}: {}", path, what, std::strerror(errno))};
}

std::vector<std::string_view> columns(std::string_view line) {
  std::vector<std::string_view> out;
  for (size_t at = 0; at <= line.size();) {
    const size_t end = std::min(line.find(',', at), line.size());
    out.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

template <typename Number>
bool read(std::string_view text, Number* number, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number, base);
  return error == std::errc{} && end == text.data() + text.size();
}

uint64_t record_hash(const Inference& record) {
  return mix(mix(std::hash<std::string>{}(record.device), record.boot), record.number);
}

}  // namespace

bool parse_truth_line(std::string_view line, Inference* inference) {
  const std::vector<std::string_view> c = columns(line);
  if (c.size() != 11 || c[0] != "i") return false;
  inference->device = c[2];
  inference->machine_type = c[7];
  return read(c[1], &inference->wall_ms) && read(c[3], &inference->boot, 16) &&
         read(c[4], &inference->number) && read(c[5], &inference->manifest, 16) &&
         read(c[6], &inference->slot) && read(c[8], &inference->true_class) &&
         read(c[9], &inference->predicted) && read(c[10], &inference->confidence);
}

Result<Truth> Truth::open(const std::string& path) {
  Truth truth;
  truth.path_ = path;
  if (path.empty()) return truth;
  const Status loaded = truth.load();
  if (!loaded) return loaded.error();
  truth.file_.reset(std::fopen(path.c_str(), "ae"));
  if (!truth.file_) return file_error(path, "cannot open it");
  if (std::fseek(truth.file_.get(), 0, SEEK_END) != 0) return file_error(path, "cannot seek");
  if (std::ftell(truth.file_.get()) == 0 &&
      std::fwrite(kHeader.data(), 1, kHeader.size(), truth.file_.get()) != kHeader.size()) {
    return file_error(path, "cannot write");
  }
  return truth;
}

Status Truth::load() {
  std::ifstream in(path_, std::ios::binary);
  std::string line;
  uint64_t whole_lines = 0;
  while (std::getline(in, line)) {
    if (in.eof()) break;  // without a newline: torn by a crash
    whole_lines += line.size() + 1;
    Inference inference;
    if (parse_truth_line(line, &inference)) {
      count(inference);
      continue;
    }
    const std::vector<std::string_view> c = columns(line);
    uint64_t boot = 0;
    uint64_t lost = 0;
    if (c.size() == 11 && c[0] == "l" && read(c[3], &boot, 16) && read(c[4], &lost)) {
      lost_[{std::string(c[2]), boot}] += lost;
    }
  }
  if (whole_lines == 0) return {};
  // Cut a torn line off, or the next record would continue it.
  std::unique_ptr<std::FILE, Close> file(std::fopen(path_.c_str(), "r+e"));
  if (!file || ftruncate(fileno(file.get()), static_cast<off_t>(whole_lines)) != 0) {
    return file_error(path_, "cannot cut a torn line off");
  }
  return {};
}

void Truth::count(const Inference& inference) {
  inferences_++;
  streams_[{inference.device, inference.boot, inference.manifest}]++;
  Score& score = scores_[{inference.manifest, inference.machine_type}];
  score.inferences++;
  score.correct += inference.true_class == inference.predicted ? 1 : 0;
}

Status Truth::add(const Inference& i) {
  count(i);
  if (!file_) return {};
  const std::string line = fmt::format("i,{},{},{:016x},{},{:016x},{},{},{},{},{}\n", i.wall_ms,
                                       i.device, i.boot, i.number, i.manifest, i.slot,
                                       i.machine_type, i.true_class, i.predicted, i.confidence);
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size()) {
    return file_error(path_, "cannot write");
  }
  return {};
}

Status Truth::add_lost(int64_t wall_ms, const std::string& device, uint64_t boot, uint64_t lost) {
  lost_[{device, boot}] += lost;
  if (!file_) return {};
  const std::string line = fmt::format("l,{},{},{:016x},{},,,,,,\n", wall_ms, device, boot, lost);
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size()) {
    return file_error(path_, "cannot write");
  }
  return flush();
}

Status Truth::flush() {
  if (file_ && std::fflush(file_.get()) != 0) return file_error(path_, "cannot write");
  return {};
}

Json Truth::summary() const {
  Json streams = Json::array();
  for (const auto& [key, inferences] : streams_) {
    const auto& [device, boot, manifest] = key;
    streams.push_back({{"device", device},
                       {"boot", fmt::format("{:016x}", boot)},
                       {"manifest", fmt::format("{:016x}", manifest)},
                       {"inferences", inferences}});
  }
  Json lost = Json::array();
  uint64_t lost_total = 0;
  for (const auto& [key, at_most] : lost_) {
    lost_total += at_most;
    lost.push_back({{"device", key.first},
                    {"boot", fmt::format("{:016x}", key.second)},
                    {"at_most", at_most}});
  }
  Json accuracy = Json::array();
  for (const auto& [key, score] : scores_) {
    accuracy.push_back({{"manifest", fmt::format("{:016x}", key.first)},
                        {"machine_type", key.second},
                        {"inferences", score.inferences},
                        {"correct", score.correct}});
  }
  return {{"inferences", inferences_},
          {"lost_at_most", lost_total},
          {"streams", std::move(streams)},
          {"lost", std::move(lost)},
          {"accuracy", std::move(accuracy)}};
}

Result<Json> Truth::labels(const LabelQuery& query, int64_t now_wall_ms) {
  if (path_.empty()) {
    return precondition("NO_TRUTH_FILE", "labels need a truth file: start with --truth or --state");
  }
  const Status flushed = flush();
  if (!flushed) return flushed.error();
  std::ifstream in(path_, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(query.since));
  if (!in) return invalid("BAD_CURSOR", "since must be 0 or the `next` of an earlier answer");
  uint64_t next = query.since;
  Json records = Json::array();
  std::string line;
  while (records.size() < query.limit && std::getline(in, line) && !in.eof()) {
    Inference record;
    const bool is_inference = parse_truth_line(line, &record);
    if (is_inference && record.wall_ms > now_wall_ms - query.delay.count()) break;
    next += line.size() + 1;
    if (!is_inference ||
        static_cast<int64_t>(record_hash(record) % 1'000'000) >= query.fraction.ppm) {
      continue;
    }
    records.push_back({{"device", record.device},
                       {"boot", fmt::format("{:016x}", record.boot)},
                       {"inference", record.number},
                       {"class", record.true_class},
                       {"manifest", fmt::format("{:016x}", record.manifest)},
                       {"machine_type", record.machine_type}});
  }
  return Json{{"records", std::move(records)}, {"next", next}};
}

}  // namespace covey::simulator
