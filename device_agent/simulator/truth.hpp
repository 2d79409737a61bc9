// SPDX-License-Identifier: Apache-2.0
// What really happened on the simulated devices: every inference with its true class, written to an
// append-only file and summed up in memory. The gateway's counts are compared with it.
//
// The file is CSV, one line per event, continued over restarts of covey-sim; the first line names
// the columns. Kinds:
//   i  an inference:
//   wall_ms,device,boot,inference,manifest,slot,machine_type,true,predicted,confidence l  a device
//   lost its RAM: wall_ms,device,boot,,manifest,,,,count   (count: inferences of that
//      stream that the gateway had not acknowledged; it may have committed some of them all the
//      same)
// boot and manifest (prefix) are 16 hex digits; confidence is the quantised output + 128.
//
// Owner thread: the simulator's. Errors: TRUTH_FILE when the file cannot be read or written.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <tuple>

#include "core/ratio.hpp"
#include "core/result.hpp"
#include "core/time.hpp"

namespace covey::simulator {

struct Inference {
  int64_t wall_ms = 0;
  std::string device;
  uint64_t boot = 0;
  uint64_t number = 0;
  uint64_t manifest = 0;  // prefix, as the 16 hex digits read
  uint32_t slot = 0;
  std::string machine_type;
  uint32_t true_class = 0;
  uint32_t predicted = 0;
  uint32_t confidence = 0;
};

struct LabelQuery {
  Ratio fraction = Ratio::percent(100);
  uint64_t since = 0;   // cursor of the last answer
  Millis delay{0};      // only inferences at least so old
  size_t limit = 2000;  // records per answer
};

class Truth {
 public:
  // An empty path keeps only the sums.
  static Result<Truth> open(const std::string& path);

  Status add(const Inference& inference);
  Status add_lost(int64_t wall_ms, const std::string& device, uint64_t boot, uint64_t count);
  Status flush();

  // {"inferences", "lost_at_most", "streams": [{device, boot, manifest, inferences}],
  //  "lost": [{device, boot, at_most}],
  //  "accuracy": [{manifest, machine_type, inferences, correct}]}
  nlohmann::json summary() const;
  uint64_t inferences() const { return inferences_; }

  // {"records": [{device, boot, inference, class, manifest, machine_type}], "next"}. Which records
  // belong to the fraction is decided by hash, so that a repeated question has the same answer.
  Result<nlohmann::json> labels(const LabelQuery& query, int64_t now_wall_ms);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  struct Score {
    uint64_t inferences = 0;
    uint64_t correct = 0;
  };

  void count(const Inference& inference);
  Status load();

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  uint64_t inferences_ = 0;
  std::map<std::tuple<std::string, uint64_t, uint64_t>, uint64_t> streams_;  // inferences
  std::map<std::pair<std::string, uint64_t>, uint64_t> lost_;                // at most
  std::map<std::pair<uint64_t, std::string>, Score> scores_;
};

// Parses one line of the file; false for another kind of line or a torn one.
bool parse_truth_line(std::string_view line, Inference* inference);

}  // namespace covey::simulator
