// SPDX-License-Identifier: Apache-2.0
#include "tests/scenario/player.hpp"

#include <algorithm>
#include <sstream>

#include "gateway/engine/fleet/device_fields.hpp"

namespace covey::test {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) {
    if (!part.empty() || separator != ' ') parts.push_back(part);
  }
  return parts;
}

Version parse(const std::string& text) { return *Version::parse(text); }

}  // namespace

Player::Player() {
  site_.on_said = [this](const engine::Effect& effect) { heard(effect); };
}

std::string Player::play(const std::string& line) {
  out_.clear();
  act(split(line, ' '));
  show_changes();
  return out_;
}

std::string Player::version(const std::optional<Digest>& manifest) const {
  return manifest ? engine::version_of(site_.state(), manifest) : "none";
}

void Player::heard(const engine::Effect& effect) {
  if (const auto* goal = std::get_if<engine::PublishGoal>(&effect)) {
    out_ += "goal " + goal->device.str() + " #" + std::to_string(goal->goal.counter) + ":";
    for (const engine::ModelGoal& model : goal->goal.models) {
      out_ += " confirmed " + version(model.confirmed);
      if (model.candidate) {
        out_ += ", candidate " + version(model.candidate) + " attempt " +
                std::to_string(model.attempt) + (model.may_confirm ? ", may confirm" : "");
      }
    }
    out_ += ", lease " + std::to_string(goal->goal.lease_s) + " s\n";
  } else if (const auto* report = std::get_if<engine::LogLine>(&effect)) {
    if (report->level == engine::LogLine::Level::kWarning) {
      out_ += "warning " + report->event + " " + report->subject + ": " + report->text + "\n";
    }
  }
}

void Player::reply(const Result<engine::CommandReply>& result) {
  out_ += result ? "ok\n" : result.error().reason + ": " + result.error().message + "\n";
}

void Player::command(engine::Command command) { reply(site_.command(std::move(command))); }

void Player::roll_out(const std::vector<std::string>& words) {
  PlanDocument plan = simple_plan(words.at(1), words.at(2));
  plan.attempt.retries = 0;
  std::vector<StageDocument> stages;
  for (size_t i = 3; i < words.size(); ++i) {
    const size_t equals = words[i].find('=');
    const std::string key = words[i].substr(0, equals);
    const std::string value = words[i].substr(equals + 1);
    if (key == "stage") {
      const std::vector<std::string> parts = split(value, ':');
      stages.push_back(stage(parts.at(0), parts.at(1)));
      stages.back().soak = parts.at(2);
      if (parts.size() > 3) stages.back().approval = "required";
    } else if (key == "failures") {
      plan.gates = {failures_gate(value)};
    } else if (key == "on_fail") {
      plan.on_fail = value;
    } else if (key == "retries") {
      plan.attempt.retries = static_cast<uint32_t>(std::stoul(value));
    } else if (key == "deadline") {
      plan.attempt.deadline = value;
    } else if (key == "timeout" && !stages.empty()) {
      stages.back().timeout = value;
    } else if (key == "max_in_flight" && !stages.empty()) {
      stages.back().max_in_flight = static_cast<uint32_t>(std::stoul(value));
    } else {
      out_ += "unknown option " + words[i] + "\n";
    }
  }
  if (!stages.empty()) plan.stages = stages;
  reply(site_.roll_out(plan));
}

void Player::act(const std::vector<std::string>& words) {
  const std::string& verb = words.at(0);
  const auto each = [&](const auto& what) {
    for (size_t i = 1; i < words.size(); ++i) what(words[i]);
  };
  if (verb == "push") {
    each([&](const std::string& v) { site_.push(parse(v)); });
  } else if (verb == "enroll") {
    each([&](const std::string& id) { site_.enroll(id); });
  } else if (verb == "join") {
    each([&](const std::string& id) { site_.join(id); });
  } else if (verb == "hello") {
    each([&](const std::string& id) { site_.hello(id); });
  } else if (verb == "leave") {
    each([&](const std::string& id) { site_.leave(id); });
  } else if (verb == "reboot") {
    each([&](const std::string& id) {
      site_.reboot(id);
      site_.hello(id);
    });
  } else if (verb == "run") {
    for (size_t i = 1; i + 1 < words.size(); ++i) site_.run(words[i], parse(words.back()));
  } else if (verb == "say") {
    site_.say(words.at(1), words.at(2), words.size() > 3 ? words[3] : "");
  } else if (verb == "obey" && words.at(1) == "all") {
    site_.obey_all();
  } else if (verb == "obey") {
    each([&](const std::string& id) { site_.obey(id); });
  } else if (verb == "fall_back") {
    site_.fall_back(words.at(1), parse(words.at(2)), words.at(3));
  } else if (verb == "late_proof") {
    Played& device = site_.device(words.at(1));
    device.model.phase = "CONFIRMED";
    device.model.confirmed = device.model.candidate;
    device.model.active = device.model.candidate;
    site_.status(words.at(1));
  } else if (verb == "pass") {
    site_.pass(std::chrono::seconds(std::stoul(words.at(1))));
  } else if (verb == "rollout") {
    roll_out(words);
  } else if (verb == "pause") {
    command(engine::PauseRollout{RolloutName(words.at(1)), "look"});
  } else if (verb == "resume") {
    command(engine::ResumeRollout{RolloutName(words.at(1))});
  } else if (verb == "approve") {
    command(engine::ApproveRollout{RolloutName(words.at(1))});
  } else if (verb == "abort" || verb == "abort_now") {
    command(engine::AbortRollout{RolloutName(words.at(1)), verb == "abort_now", "stop"});
  } else if (verb == "roll_back") {
    command(engine::RollBackRollout{RolloutName(words.at(1)), "no good"});
  } else if (verb == "crash") {
    site_.crash_after_next_commit();
  } else if (verb == "restart") {
    site_.restart();
  } else if (verb == "broker" && words.at(1) == "up") {
    site_.connect_broker();
  } else if (verb == "broker") {
    site_.disconnect_broker();
  } else {
    out_ += "unknown input\n";
  }
}

void Player::show_changes() {
  const auto show = [&](const std::string& key, const std::string& text) {
    if (shown_[key] == text) return;
    shown_[key] = text;
    out_ += key + ": " + text + "\n";
  };
  for (const auto& [name, rollout] : site_.state().rollouts.by_name) {
    std::vector<EventRecord> events = site_.events(name.str());
    std::sort(events.begin(), events.end(),
              [](const auto& a, const auto& b) { return a.sequence < b.sequence; });
    for (const EventRecord& event : events) {
      if (event.sequence <= event_) continue;
      out_ += "history " + event.kind + " " + event.subject +
              (event.text.empty() ? "" : ": " + event.text) + "\n";
    }
  }
  event_ = site_.state().site.event_sequence;
  for (const auto& [number, d] : site_.state().rollouts.deployments) {
    std::string text(to_string(d.state));
    if (!d.reason.empty()) text += "(" + d.reason + ")";
    text += " " + engine::version_of(site_.state(), d.manifest) + ", " +
            std::string(to_string(d.cause)) + ", attempt " + std::to_string(d.attempt);
    if (d.late_confirmed) text += ", late confirmed";
    show(d.device.str() + " deployment " + std::to_string(number), text);
  }
  for (const auto& [name, rollout] : site_.state().rollouts.by_name) {
    show("rollout " + name.str(), site_.rollout_text(name.str()));
  }
}

}  // namespace covey::test
