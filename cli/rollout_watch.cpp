// SPDX-License-Identifier: Apache-2.0
#include "cli/rollout_watch.hpp"

#include <fmt/format.h>

#include "cli/show/rollout_view.hpp"
#include "core/duration.hpp"
#include "covey/v1/rollouts.pb.h"

namespace covey::cli {
namespace {

// As much of it as the terminal has rows for, but one: the cursor's. What has scrolled away cannot
// be drawn anew.
std::string clipped(const std::string& view, const Style& style) {
  if (terminal_rows(view, style.columns) < style.rows) return view;
  std::string out;
  for (size_t at = 0; at < view.size();) {
    const size_t end = view.find('\n', at) + 1;
    const std::string next = out + view.substr(at, end - at);
    if (terminal_rows(next, style.columns) + 2 > style.rows) break;
    out = next;
    at = end;
  }
  return out + "…\n";
}

class Progress {
 public:
  explicit Progress(const Invocation& invocation) : invocation_(invocation) {}

  // Of the connection: a watch waits as long as --wait lets it.
  void connection(bool up) {
    invocation_.note(up ? "coveyd is back"
                        : "coveyd does not answer; waiting for it until --wait is over");
    drawn_.clear();  // what is on the terminal above these words stays
  }

  // The exit code: of output that nobody gets no more is made.
  int show(const v1::Rollout& rollout) {
    if (!invocation_.for_people()) {
      v1::GetRolloutResponse change;
      *change.mutable_rollout() = rollout;
      return invocation_.print_change(change);
    }
    v1::Rollout harmless = rollout;
    escape_strings(harmless);
    return invocation_.style.terminal ? redraw(harmless) : add_line(harmless);
  }

 private:
  int add_line(const v1::Rollout& rollout) {
    const std::string milestone = rollout_milestone(rollout);
    if (milestone == milestone_) return kDone;
    milestone_ = milestone;
    return invocation_.put(rollout_summary(rollout) + "\n");
  }

  int redraw(const v1::Rollout& rollout) {
    const Style style = detect_style();  // the window may have another size by now
    const std::string view = clipped(rollout_progress(rollout, style), style);
    if (view == drawn_) return kDone;
    const size_t rows = terminal_rows(drawn_, style.columns);
    const std::string up = rows == 0 ? "" : fmt::format("\x1b[{}A\x1b[J", rows);
    drawn_ = view;
    return invocation_.draw(up + safe_for_terminal(view));
  }

  const Invocation& invocation_;
  std::string milestone_;
  std::string drawn_;
};

// After --wait: what the rollout is at, and what there is to do.
Error timed_out(const v1::Rollout& rollout) {
  const std::string name = id_of(rollout.name());
  std::string text = "--wait is over";
  if (name.empty()) {
    text += ", and the site has not said anything of the rollout";
  } else if (rollout.awaiting_approval()) {
    std::string stage;
    for (const v1::Stage& candidate : rollout.stages()) {
      if (stage.empty() && candidate.state() == v1::STAGE_STATE_PENDING) {
        stage = fmt::format("stage {} ", candidate.name());
      }
    }
    text +=
        fmt::format("; {}of {} waits for approval: `covey rollout approve {}`", stage, name, name);
  } else if (rollout.state() == v1::ROLLOUT_STATE_PAUSED) {
    text += fmt::format(
        "; {} is PAUSED ({}): `covey rollout explain {}` says why, `covey rollout "
        "resume {}` goes on",
        name, rollout.reason(), name, name);
  } else {
    text += fmt::format(
        "; {} goes on: `covey rollout explain {}` says what it waits for, `covey "
        "rollout watch {}` looks again",
        name, name, name);
  }
  return {Code::kDeadlineExceeded, "TIMED_OUT", text};
}

}  // namespace

void add_watch_options(CLI::App& command, WatchOptions& options) {
  command.add_option("--wait", options.wait, "Watch no longer than this; 0s: as long as it takes")
      ->check(a_duration())
      ->capture_default_str();
  command.add_flag("--through-pauses", options.through_pauses, "A pause does not end the watch");
}

int watch(const Invocation& invocation, const WatchOptions& options, Client& client,
          const std::string& name) {
  Result<Millis> wait = parse_duration(options.wait);
  if (!wait) return invocation.fail(invalid("BAD_WAIT", "--wait: " + wait.error().message));
  Progress progress(invocation);
  v1::Rollout last;
  int written = kDone;
  const Status status = client.watch_rollout(
      name, *wait,
      [&](const v1::Rollout& rollout) {
        last = rollout;
        written = progress.show(rollout);
        const bool paused = rollout.state() == v1::ROLLOUT_STATE_PAUSED;
        const bool goes_on = !rollout_exit_code(rollout) || (paused && options.through_pauses);
        return goes_on && written == kDone;
      },
      [&](bool up) { progress.connection(up); });
  if (written != kDone) return written;
  if (!status && status.error().code == Code::kDeadlineExceeded) {
    return invocation.fail(timed_out(last));
  }
  if (!status) return invocation.fail(status.error());
  const int code = rollout_exit_code(last).value_or(kOtherError);
  if (code != kDone && invocation.for_people()) {
    invocation.put(fmt::format("Why: covey rollout explain {}\n", escaped(id_of(last.name()))));
  }
  return code;
}

}  // namespace covey::cli
