// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <vector>

#include "gateway/api/handlers.hpp"
#include "gateway/api/messages.hpp"
#include "gateway/api/names.hpp"
#include "gateway/engine/queries/existence.hpp"
#include "gateway/engine/queries/questions.hpp"
#include "monitoring/accuracy/accuracy.hpp"

namespace covey::api {
namespace {

Result<engine::LabelInput> label_of(const v1::Label& label, int index) {
  const std::string field = fmt::format("labels[{}]", index);
  Result<DeviceId> device = device_name(label.device(), field + ".device");
  if (!device) return device.error();
  engine::LabelInput input{.device = *std::move(device),
                           .boot_id = 0,
                           .inference = label.inference(),
                           .truth = label.class_()};
  const std::string& boot = label.boot_id();
  const auto [end, error] =
      std::from_chars(boot.data(), boot.data() + boot.size(), input.boot_id, 16);
  if (boot.empty() || error != std::errc() || end != boot.data() + boot.size()) {
    return invalid("BAD_BOOT_ID", field + ".boot_id: 16 hex digits, as `covey device get` shows");
  }
  return input;
}

std::string alert_token(const monitoring::AlertKey& key) {
  return page_token("alerts", fmt::format("{}\n{}\n{}\n{}", key.model, to_string(key.kind),
                                          key.subject, key.scope));
}

// None: from the beginning.
Result<std::optional<monitoring::AlertKey>> read_alert_token(const std::string& token) {
  const Result<std::string> text = read_page_token("alerts", token);
  if (!text) return text.error();
  if (text->empty()) return std::optional<monitoring::AlertKey>();
  std::vector<std::string> lines;
  size_t from = 0;
  for (size_t end = 0; end != std::string::npos; from = end + 1) {
    end = text->find('\n', from);
    lines.push_back(text->substr(from, end == std::string::npos ? end : end - from));
  }
  if (lines.size() != 4) return bad_page_token();
  const std::optional<monitoring::AlertKind> kind = monitoring::parse_alert_kind(lines[1]);
  if (!kind) return bad_page_token();
  return std::optional(monitoring::AlertKey{lines[0], *kind, lines[2], lines[3]});
}

class AlertPage {
 public:
  AlertPage(size_t size, std::optional<monitoring::AlertKey> behind)
      : last_(std::move(behind)), room_(size) {}

  template <typename C>
  Result<bool> operator()(const engine::Engine& engine, C& call) {
    const engine::AlertTracks& alerts = engine.state().telemetry.alerts;
    auto next = last_ ? alerts.upper_bound(*last_) : alerts.begin();
    for (size_t seen = 0; next != alerts.end(); ++next, ++seen) {
      if (seen == kAlertsPerLook) return false;
      if (wants(next->second, call.request)) {
        if (!room_.has_room()) {
          call.response.set_next_page_token(alert_token(*last_));
          return true;
        }
        fill(*call.response.add_alerts(), *next->second.newest);
        room_.take(*call.response.alerts().rbegin());
      }
      last_ = next->first;
    }
    return true;
  }

 private:
  static constexpr size_t kAlertsPerLook = 50;  // one may name the whole fleet

  static bool wants(const monitoring::AlertTrack& track, const v1::ListAlertsRequest& request) {
    if (!track.newest) return false;
    return track.newest->state != monitoring::AlertState::kResolved || request.include_resolved();
  }

  std::optional<monitoring::AlertKey> last_;
  PageRoom room_;
};

void show_totals(const engine::InferenceQuestion& question,
                 v1::GetInferenceTotalsResponse& response) {
  const engine::Totals& totals = question.totals();
  for (const auto& [key, record] : totals.devices) {
    v1::InferenceTotal& row = *response.add_devices();
    row.set_device(key.first.str());
    row.set_release(to_string(key.second));
    fill(row, record);
  }
  for (const auto& [key, record] : totals.cohorts) {
    v1::InferenceTotal& row = *response.add_cohorts();
    row.set_release(key.first);
    row.set_cohort(key.second);
    fill(row, record);
  }
  response.set_inferences(totals.inferences);
  response.set_windows_lost(totals.windows_lost);
  response.set_duplicates(totals.duplicates);
  response.set_quarantined(totals.quarantined);
  if (const auto& more = question.more_behind()) {
    response.set_next_page_token(page_token("totals", more->str()));
  }
}

void show_drift(const engine::DriftView& view, v1::GetDriftResponse& response) {
  response.set_release(to_string(view.release));
  for (const engine::HistogramView& histogram : view.histograms) {
    fill(*response.add_histograms(), histogram);
  }
  response.set_devices(view.devices);
  response.set_inferences(view.inferences);
  response.set_start_ms(view.start.count());
  response.set_end_ms(view.end.count());
}

// look_by_parts() at a model of which something was pushed; else NOT_FOUND. `look(engine)` says
// whether it was the last part, or what is wrong.
template <typename C, typename Look, typename Done>
void look_at_model(std::shared_ptr<C> call, const ModelName& model, Look look, Done done) {
  look_by_parts(
      std::move(call),
      [model, look = std::move(look)](const engine::Engine& engine, auto&) -> Result<bool> {
        if (Status known = engine::expect_model(engine.state(), model); !known) {
          return known.error();
        }
        return look(engine);
      },
      std::move(done));
}

void show_accuracy(const std::vector<engine::AccuracyRow>& rows,
                   v1::GetAccuracyResponse& response) {
  for (const engine::AccuracyRow& row : rows) {
    v1::AccuracyRow& to = *response.add_rows();
    to.set_release(to_string(row.release));
    to.set_stratum(row.stratum);
    to.set_labelled(row.labelled);
    to.set_correct(row.correct);
    to.set_inferences(row.inferences);
    if (row.labelled == 0) continue;
    const monitoring::Interval interval = monitoring::wilson(row.correct, row.labelled, 0.05);
    to.set_low(interval.low);
    to.set_high(interval.high);
    to.set_accuracy(static_cast<double>(row.correct) / static_cast<double>(row.labelled));
  }
}

using LabelsCall = CallPtr<v1::SubmitLabelsRequest, v1::SubmitLabelsResponse>;

// Whether a label counts is asked of the store, where what the engine knew at a moment after the
// call came is durable; the engine itself knows what came since.
void look_up_and_submit(const LabelsCall& call, std::shared_ptr<engine::SubmitLabels> command) {
  const auto looked_up = std::make_shared<Status>();
  const auto look = [command, looked_up](Reader& reader) {
    *looked_up = engine::look_up(reader, *command);
  };
  const auto submit = [call, command, looked_up](const Status& asked) {
    if (!asked) return call->finish(asked);
    if (!*looked_up) return call->finish(*looked_up);
    execute_only(call, std::move(*command), [](const engine::CommandReply& reply, auto& response) {
      response.set_matched(reply.labels_matched);
      response.set_unmatched(reply.labels_unmatched);
      response.set_unchanged(reply.labels_unchanged);
      response.set_of_nobody(reply.labels_of_nobody);
    });
  };
  call->context->engine.read([](const engine::Engine&) {},
                             [call, look, submit](const Status& seen) {
                               if (!seen) return call->finish(seen);
                               call->context->engine.history(look, submit, nullptr);
                             });
}

}  // namespace

void submit_labels(const CallPtr<v1::SubmitLabelsRequest, v1::SubmitLabelsResponse>& call) {
  Result<ModelName> model = model_name(call->request.model(), "model");
  if (!model) return call->finish(model.error());
  if (static_cast<size_t>(call->request.labels_size()) > kLabelsPerRequestMax) {
    return call->finish(invalid(
        "TOO_MANY_LABELS", fmt::format("labels: at most {} in one request", kLabelsPerRequestMax)));
  }
  engine::SubmitLabels command{*std::move(model), {}};
  command.labels.reserve(static_cast<size_t>(call->request.labels_size()));
  for (int i = 0; i < call->request.labels_size(); ++i) {
    Result<engine::LabelInput> label = label_of(call->request.labels(i), i);
    if (!label) return call->finish(label.error());
    command.labels.push_back(*std::move(label));
  }
  look_up_and_submit(call, std::make_shared<engine::SubmitLabels>(std::move(command)));
}

void get_inference_totals(
    const CallPtr<v1::GetInferenceTotalsRequest, v1::GetInferenceTotalsResponse>& call) {
  Result<ModelName> model = model_name(call->request.model(), "model");
  if (!model) return call->finish(model.error());
  const Result<size_t> size = page_size(call->request.page_size());
  if (!size) return call->finish(size.error());
  const Result<std::string> token = read_page_token("totals", call->request.page_token());
  if (!token) return call->finish(token.error());
  std::optional<DeviceId> behind;
  if (!token->empty()) behind = DeviceId(*token);
  const auto question = std::make_shared<engine::InferenceQuestion>(*model, *size, behind);
  look_at_model(
      call, *model,
      [question](const engine::Engine& engine) { return question->look(engine.state()); },
      [question](const auto& seen) {
        show_totals(*question, seen->response);
        seen->finish({});
      });
}

void get_drift(const CallPtr<v1::GetDriftRequest, v1::GetDriftResponse>& call) {
  const v1::GetDriftRequest& request = call->request;
  Result<ModelName> model = model_name(request.model(), "model");
  if (!model) return call->finish(model.error());
  std::optional<Version> version;
  if (!request.release().empty()) {
    const size_t at = request.release().find('@');
    Result<Version> parsed = Version::parse(
        at == std::string::npos ? request.release() : request.release().substr(at + 1));
    if (!parsed) {
      return call->finish(invalid("BAD_VERSION", "release: " + parsed.error().message));
    }
    version = *parsed;
  }
  Result<Filter> filter = Filter::parse(request.filter());
  if (!filter) {
    return call->finish(invalid(filter.error().reason, "filter: " + filter.error().message));
  }
  const auto question = std::make_shared<engine::DriftQuestion>(*model, version, *std::move(filter),
                                                                request.windows());
  look_at_model(
      call, *model,
      [question](const engine::Engine& engine) {
        return question->look(engine.state(), engine.config());
      },
      [question](const auto& seen) {
        finish_apart(seen,
                     [question](auto& c) { show_drift(std::move(*question).judge(), c.response); });
      });
}

void get_accuracy(const CallPtr<v1::GetAccuracyRequest, v1::GetAccuracyResponse>& call) {
  Result<ModelName> model = model_name(call->request.model(), "model");
  if (!model) return call->finish(model.error());
  if (Status per = check_text(call->request.per(), "per", 128); !per) return call->finish(per);
  const auto question = std::make_shared<engine::AccuracyQuestion>(*model, call->request.per());
  look_at_model(
      call, *model,
      [question](const engine::Engine& engine) { return question->look(engine.state()); },
      [question](const auto& seen) {
        show_accuracy(std::move(*question).rows(), seen->response);
        seen->finish({});
      });
}

void list_alerts(const CallPtr<v1::ListAlertsRequest, v1::ListAlertsResponse>& call) {
  const Result<size_t> size = page_size(call->request.page_size());
  if (!size) return call->finish(size.error());
  Result<std::optional<monitoring::AlertKey>> behind = read_alert_token(call->request.page_token());
  if (!behind) return call->finish(behind.error());
  answer_by_parts(call, AlertPage(*size, *std::move(behind)));
}

void acknowledge_alert(
    const CallPtr<v1::AcknowledgeAlertRequest, v1::AcknowledgeAlertResponse>& call) {
  std::string id = call->request.name();
  if (id.starts_with("alerts/")) id.erase(0, 7);
  if (id.empty()) return call->finish(invalid("BAD_NAME", "name: missing; write alerts/{id}"));
  if (Status text = check_text(id, "name", 256); !text) return call->finish(text);
  execute(call, engine::AcknowledgeAlert{id}, "",
          [id](const engine::Engine& engine, const engine::CommandReply&, auto& c) -> Status {
            for (const auto& [key, track] : engine.state().telemetry.alerts) {
              if (track.newest && monitoring::alert_id(key, track.newest->episode) == id) {
                fill(*c.response.mutable_alert(), *track.newest);
              }
            }
            return {};
          });
}

}  // namespace covey::api
