// One call of Engine::handle(): the state, the time, and what has been decided so far. The parts of
// the engine (enrolment, goals, transfer, rollouts, telemetry, ...) are functions over a Turn.
// Rows that changed are noted and written once, at the end of the turn.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gateway/engine/events.hpp"
#include "gateway/engine/state.hpp"

namespace covey::engine {

struct Turn {
  State& state;
  const EngineConfig& config;
  Now now;
  Output out{};

  std::set<DeviceId> dirty_devices{};
  std::set<DeviceId> dirty_goals{};
  std::set<uint64_t> dirty_deployments{};
  std::set<RolloutName> dirty_rollouts{};
  std::set<CountKey> dirty_counts{};
  std::set<StreamKey> dirty_streams{};
  std::set<TotalKey> dirty_totals{};
  struct WindowKey {
    Digest manifest;
    int64_t index = 0;
    DeviceId device;
    std::string cohort;
    auto operator<=>(const WindowKey&) const = default;
  };
  std::set<WindowKey> dirty_windows{};
  bool dirty_site = false;

  void write(Write write) { out.writes.push_back(std::move(write)); }
  void emit(Effect effect) { out.after_commit.push_back(std::move(effect)); }
  void urgent() { out.urgent = true; }
  void drop(Drop reason) { ++state.counters.drops[static_cast<size_t>(reason)]; }

  Session& session(const DeviceId& device);
  // The row will be written at the end of the turn.
  Device& change(Device& device);
  void change_site() {
    dirty_site = true;
    urgent();
  }
  void event(const RolloutName& rollout, std::string kind, std::string subject, std::string text);
  void report(Report::Level level, std::string event, std::string subject, std::string text);
};

// Writes all rows that were noted, the site row last. Called once, at the end.
void finish(Turn& turn);

// ---- the parts, one file each

// clocks.cpp
Millis grace(const EngineConfig& config);
// Coveyd or its broker came back just now: devices have had no time to say what happened meanwhile,
// so nothing that waits for their word expires yet.
bool in_grace(const Turn& turn);
// A step of the wall clock: counted, reported, and what goes by it is held.
void notice_wall_clock(Turn& turn);
bool schedules_held(const State& state);

// enrolment.cpp
void on_enroll(Turn& turn, const EnrollReceived& event);
Result<CommandReply> accept_devices(Turn& turn, const AcceptDevices& command);
Result<CommandReply> reject_device(Turn& turn, const RejectDevice& command);
Result<CommandReply> reenroll_device(Turn& turn, const ReenrollDevice& command);
void grant_all_credentials(Turn& turn);

// credentials.cpp: derived from the site's secret, never stored
Digest order_key(const State& state, const Device& device);
std::string broker_password(const State& state, const Device& device);
uint32_t shard_of(const DeviceId& device);

// presence.cpp
void on_hello(Turn& turn, Device& device, const HelloMessage& hello);
void on_status(Turn& turn, Device& device, const StatusMessage& status);
void on_bye(Turn& turn, Device& device, const ByeMessage& bye);
void expire_sessions(Turn& turn);
bool is_online(const State& state, const DeviceId& device);
// Online, and it would take a goal.
bool is_reachable(const State& state, const DeviceId& device);
// Wall time of its last message of any kind; 0: never. Exact since the start, before that to a
// hello or status.
Millis last_heard(const State& state, const Device& device);
void flush_acks(Turn& turn);

// restore.cpp
// A device that has seen more than was ever said to it here: the store is older than the world, or
// the device lies. Its counter is adopted, for it alone; the epoch, and a pause of what is going
// on, only when enough devices say so. Until then it is in quarantine where its epoch is above the
// site's: it would refuse every goal, and is offered none. True: something was adopted.
bool adopt_newer(Turn& turn, Device& device, uint32_t site_epoch, uint64_t goal_counter);
// What such a device runs is what it should run.
void adopt_reported(Turn& turn, Device& device);
bool is_quarantined(const State& state, const DeviceId& device);
void forget_claim(Turn& turn, const DeviceId& device, const std::string& why);
void expire_claims(Turn& turn);
// Over when every enrolled device has said hello, or those that did not have had their time.
void end_reconciling(Turn& turn);

// goals.cpp
// What should be said is not what the newest goal says.
bool goal_is_outdated(const State& state, const Device& device);
// A new goal with a higher counter, at the end of the turn.
void refresh_goal(Turn& turn, const DeviceId& device);
// That end: content and counter change together, and nowhere else.
void renew_goal(Turn& turn, Device& device);
// The newest goal, as it is stored: one counter never has two contents.
void publish_goal(Turn& turn, const Device& device);
// Says goals again that online devices have not shown for too long. Every tick.
void repeat_goals(Turn& turn);
// Tells devices that are here the settings of the configuration. Every tick, a few.
void order_settings(Turn& turn);
void publish_everything_retained(Turn& turn);
void publish_site(Turn& turn);
void publish_release(Turn& turn, const ReleaseRecord& release);

// floors.cpp
// Ended, but not long ago: it can be taken back.
bool may_roll_back(const Turn& turn, const Rollout& rollout);
uint32_t floor_of(const DeviceModel& model);
void raise_floors(Turn& turn);

// transfer.cpp
void on_fetch(Turn& turn, Device& device, const FetchMessage& fetch);

// deployments.cpp
const Deployment* deployment_in_progress(const State& state, const DeviceId& device,
                                         const ModelName& model);
Deployment& create_deployment(Turn& turn, Deployment deployment);
void advance(Turn& turn, uint64_t number, const deployment::Event& event);
void offer(Turn& turn, uint64_t number, Millis deadline_after);
void on_model_report(Turn& turn, Device& device, const ModelReport& report);
void expire_deployments(Turn& turn);
// The release's artifact for this device, and why it can't be taken where it can't.
struct Admission {
  const KnownArtifact* artifact = nullptr;
  std::string reason;
  std::string explanation;
};
Admission admit(const State& state, const ReleaseId& release, const Device& device);

// archive.cpp
// One device more, or less, stands where this attempt does.
void count(Turn& turn, const Deployment& newest, bool more);
// Rollouts that can't be rolled back any more give their deployments away.
void settle_rollouts(Turn& turn);
void archive_deployments(Turn& turn);

// assignments.cpp
void assign(Turn& turn, const Rollout& rollout);
void assign_device(Turn& turn, Device& device);
// The release stands no longer: nobody is given it any more, and nobody waits for it.
void unassign(Turn& turn, const Rollout& rollout);
void reconcile(Turn& turn);

// rollouts.cpp
Result<CommandReply> create_rollout(Turn& turn, const CreateRollout& command,
                                    const std::string& actor);
Result<CommandReply> command_rollout(Turn& turn, const RolloutName& name,
                                     const rollout::Event& event, const std::string& etag);
Result<CommandReply> roll_back(Turn& turn, const RollBackRollout& command, const std::string& etag);
void advance_rollouts(Turn& turn, Millis observed);
// Keeps State::open_rollouts: called where a rollout begins, ends, or is loaded.
void index_open(State& state, const Rollout& rollout);

// rollout_stages.cpp
void queue_stage(Turn& turn, const Rollout& rollout, size_t stage);
void offer_stage(Turn& turn, Rollout& rollout, uint32_t& budget);
void start_rollback(Turn& turn, const Rollout& rollout);
// The device of a deployment of the rollout, or of its standing assignment, gets what it had
// before.
void send_back(Turn& turn, const Rollout& rollout, const Deployment& deployment);
void offer_rollback(Turn& turn, const Rollout& rollout);
rollout::RollbackFacts rollback_facts(const State& state, const Rollout& rollout);

// gates.cpp
rollout::StageFacts judge_stage(Turn& turn, const Rollout& rollout, size_t stage);

// telemetry.cpp
void on_report(Turn& turn, Device& device, const ReportMessage& report, const Bytes& payload);
std::string canary_cohort(const RolloutName& rollout);
std::string cohort_of(const State& state, const Device& device, const Digest& manifest);

// windows.cpp
void close_windows(Turn& turn);
void on_window_judged(Turn& turn, const WindowVerdict& verdict);
// A closed window's rows of its cohorts; late counts revise them.
void write_cohorts(Turn& turn, const WindowId& id, const OpenWindow& window, bool revised);
// Closes what is open without a judgement: its time is not what it was.
void abandon_windows(Turn& turn);
void forget_old(Turn& turn);

// labels.cpp
Result<CommandReply> submit_labels(Turn& turn, const SubmitLabels& command);
void add_sample(Turn& turn, const SampleRecord& sample);

// alerts.cpp
void apply_verdict(Turn& turn, const Digest& manifest, const WindowVerdict& verdict);
// Alerts about a release that no device runs any more are resolved.
void resolve_alerts_of_the_past(Turn& turn);
void raise_duplicate_identity(Turn& turn, const Device& device);
void raise_ahead_of_site(Turn& turn, const Device& device, const std::string& seen);
void resolve_ahead_of_site(Turn& turn, const DeviceId& device, const std::string& why);
void resolve_duplicate_identity(Turn& turn, const Device& device);
Result<CommandReply> acknowledge_alert(Turn& turn, const AcknowledgeAlert& command,
                                       const std::string& actor);

// load.cpp: an artifact and what is derived from it
void know(State& state, const ArtifactRecord& record);

// commands.cpp
void on_command(Turn& turn, const CommandReceived& event);
Result<std::vector<DeviceId>> select(const State& state, const DeviceSelection& selection);

}  // namespace covey::engine
