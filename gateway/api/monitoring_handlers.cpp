// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <charconv>
#include <set>

#include "gateway/api/handlers.hpp"
#include "gateway/api/messages.hpp"
#include "gateway/api/names.hpp"
#include "gateway/engine/queries/existence.hpp"
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

// Windows of one page: the store never splits those with one start, and pages by it.
void fill_windows(const std::vector<WindowRecord>& rows, size_t limit, const engine::State& state,
                  v1::ListWindowsResponse& response) {
  if (!rows.empty() && rows.size() >= limit) {
    response.set_next_page_token(page_token("windows", std::to_string(rows.back().start.count())));
  }
  for (const WindowRecord& row : rows) fill(*response.add_windows(), state, row);
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
  answer(call, [model = *model](const engine::Engine& engine, auto& c) -> Status {
    if (Status known = engine::expect_model(engine.state(), model); !known) return known;
    const engine::Totals totals = engine::count_inferences(engine.state(), model);
    for (const auto& [key, record] : totals.devices) {
      v1::InferenceTotal& row = *c.response.add_devices();
      row.set_device(key.first.str());
      row.set_release(to_string(key.second));
      fill(row, record);
    }
    for (const auto& [key, record] : totals.cohorts) {
      v1::InferenceTotal& row = *c.response.add_cohorts();
      row.set_release(key.first);
      row.set_cohort(key.second);
      fill(row, record);
    }
    c.response.set_inferences(totals.inferences);
    c.response.set_windows_lost(totals.windows_lost);
    c.response.set_duplicates(totals.duplicates);
    c.response.set_quarantined(totals.quarantined);
    return {};
  });
}

void list_windows(const CallPtr<v1::ListWindowsRequest, v1::ListWindowsResponse>& call) {
  const Result<size_t> size = page_size(call->request.page_size());
  if (!size) return call->finish(size.error());
  Result<uint64_t> before = read_page_number("windows", call->request.page_token());
  if (!before) return call->finish(before.error());
  Result<ModelName> model = model_name(call->request.model(), "model");
  if (!model) return call->finish(model.error());
  DeviceId device;
  if (!call->request.device().empty()) {
    Result<DeviceId> id = device_name(call->request.device(), "device");
    if (!id) return call->finish(id.error());
    device = *std::move(id);
  }
  // What the model's manifests are, then the rows, then their words for the answer.
  const auto manifests = std::make_shared<std::vector<Digest>>();
  const auto known = std::make_shared<Status>();
  call->context->engine.read(
      [manifests, known, device, model = *model](const engine::Engine& engine) {
        *known = engine::expect_model(engine.state(), model);
        if (*known && !device.empty()) *known = engine::expect_device(engine.state(), device);
        for (const auto& [digest, artifact] : engine.state().catalogue.artifacts) {
          if (artifact.release.model == model) manifests->push_back(digest);
        }
      },
      [call, manifests, known, device, size = *size, before = *before](const Status& looked) {
        if (!looked || !*known) return call->finish(looked ? *known : looked);
        answer_from_history(
            call,
            [manifests, device, size, before](Reader& reader) {
              return reader.windows(*manifests, device, {.limit = size, .before = before});
            },
            [size](const engine::Engine& engine, const std::vector<WindowRecord>& rows,
                   auto& c) -> Status {
              fill_windows(rows, size, engine.state(), c.response);
              return {};
            });
      },
      call->wanted());
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
  if (Result<Filter> filter = Filter::parse(request.filter()); !filter) {
    return call->finish(invalid(filter.error().reason, "filter: " + filter.error().message));
  }
  answer(call, [model = *model, version](const engine::Engine& engine, auto& c) -> Status {
    if (Status known = engine::expect_model(engine.state(), model); !known) return known;
    Result<engine::DriftView> view = engine::view_drift(
        engine.state(), engine.config(), model, version, c.request.filter(), c.request.windows());
    if (!view) return view.error();
    c.response.set_release(to_string(view->release));
    for (const engine::HistogramView& histogram : view->histograms) {
      fill(*c.response.add_histograms(), histogram);
    }
    c.response.set_devices(view->devices);
    c.response.set_inferences(view->inferences);
    c.response.set_start_ms(view->start.count());
    c.response.set_end_ms(view->end.count());
    return {};
  });
}

void get_accuracy(const CallPtr<v1::GetAccuracyRequest, v1::GetAccuracyResponse>& call) {
  Result<ModelName> model = model_name(call->request.model(), "model");
  if (!model) return call->finish(model.error());
  if (Status per = check_text(call->request.per(), "per", 128); !per) return call->finish(per);
  answer(call, [model = *model](const engine::Engine& engine, auto& c) -> Status {
    if (Status known = engine::expect_model(engine.state(), model); !known) return known;
    Result<std::vector<engine::AccuracyRow>> rows =
        engine::count_accuracy(engine.state(), model, c.request.per());
    if (!rows) return rows.error();
    for (const engine::AccuracyRow& row : *rows) {
      v1::AccuracyRow& to = *c.response.add_rows();
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
    return {};
  });
}

void list_alerts(const CallPtr<v1::ListAlertsRequest, v1::ListAlertsResponse>& call) {
  answer(call, [](const engine::Engine& engine, auto& c) -> Status {
    for (const auto& [key, track] : engine.state().telemetry.alerts) {
      if (!track.newest) continue;
      const bool resolved = track.newest->state == monitoring::AlertState::kResolved;
      if (resolved && !c.request.include_resolved()) continue;
      fill(*c.response.add_alerts(), *track.newest);
    }
    return {};
  });
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
