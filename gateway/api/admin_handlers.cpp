// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <iterator>

#include "deploy/root/root.hpp"
#include "deploy/signing/audit_chain.hpp"
#include "gateway/api/handlers.hpp"
#include "gateway/api/messages.hpp"
#include "gateway/api/names.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/queries/questions.hpp"

namespace covey::api {
namespace {

void fill_site(const engine::Engine& engine, const engine::SiteView& view,
               v1::GetSiteResponse& to) {
  const engine::State& state = engine.state();
  to.set_site_epoch(state.site.site_epoch);
  to.set_reconciling(state.site.reconciling);
  to.set_revision(engine.revision());
  for (const auto& [name, count] : view.devices) (*to.mutable_devices())[name] = count;
  to.set_devices_online(view.online);
  to.set_secret_number(engine::newest_secret(state));
  for (const auto& [number, count] : view.secrets) {
    (*to.mutable_devices_by_secret())[number] = count;
  }
  for (const auto& [name, versions] : view.models) {
    v1::SiteModel& model = *to.add_models();
    model.set_model(name);
    for (const auto& [version, count] : versions) (*model.mutable_confirmed())[version] = count;
  }
  for (const auto& [name, count] : view.rollouts) (*to.mutable_rollouts())[name] = count;
  for (const RolloutName& name : view.active) to.add_rollouts_active(name.str());
  to.set_alerts_firing(view.alerts_firing);
  to.set_inferences(view.inferences);
  to.set_windows_lost(view.windows_lost);
  to.set_reports(state.counters.reports);
  for (size_t i = 0; i < engine::kDrops; ++i) {
    if (state.counters.drops[i] == 0) continue;
    (*to.mutable_drops())[std::string(to_string(static_cast<engine::Drop>(i)))] =
        state.counters.drops[i];
  }
}

}  // namespace

void get_site(const CallPtr<v1::GetSiteRequest, v1::GetSiteResponse>& call) {
  const Context& context = *call->context;
  v1::GetSiteResponse& to = call->response;
  to.set_site(context.site);
  to.set_version(context.version);
  to.set_start_id(context.start_id);
  to.set_devices_over_tls(context.tls.devices);
  to.set_ca_pem(context.tls.ca);
  to.set_ca_fingerprint(context.tls.ca_fingerprint);
  to.set_uptime_ms(static_cast<uint64_t>(
      std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - context.started)
          .count()));
  to.set_engine_lag_us_p99(context.engine.lag().p99_us);
  for (const runtime::HealthCheck& check : context.engine.health()) {
    v1::Check& row = *to.add_checks();
    row.set_name(check.name);
    row.set_ok(check.ok);
    row.set_reason(check.reason);
  }
  for (const auto& [name, address] : context.engine.endpoints()) {
    (*to.mutable_endpoints())[name] = address;
  }
  answer_by_parts(call,
                  [question = engine::SiteQuestion()](const engine::Engine& engine,
                                                      auto& c) mutable -> Result<bool> {
                    if (!question.look(engine.state())) return false;
                    fill_site(engine, question.view(), c.response);
                    return true;
                  });
}

void add_trusted_key(const CallPtr<v1::AddTrustedKeyRequest, v1::AddTrustedKeyResponse>& call) {
  if (Status pem = check_text(call->request.pem(), "pem", 4096); !pem) return call->finish(pem);
  if (Status comment = check_text(call->request.comment(), "comment", 200); !comment) {
    return call->finish(comment);
  }
  if (const Result<PublicKey> key = PublicKey::from_pem(call->request.pem()); !key) {
    return call->finish(invalid(key.error().reason, "pem: " + key.error().message));
  }
  execute(call, engine::AddTrustedKey{call->request.pem(), call->request.comment()}, "",
          [](const engine::Engine& engine, const engine::CommandReply& reply, auto& c) -> Status {
            const auto found = engine.state().catalogue.trusted_keys.find(reply.subject);
            if (found != engine.state().catalogue.trusted_keys.end()) {
              fill(*c.response.mutable_key(), found->second);
            }
            return {};
          });
}

void list_trusted_keys(
    const CallPtr<v1::ListTrustedKeysRequest, v1::ListTrustedKeysResponse>& call) {
  answer(call, [](const engine::Engine& engine, auto& c) -> Status {
    for (const auto& [id, key] : engine.state().catalogue.trusted_keys)
      fill(*c.response.add_keys(), key);
    return {};
  });
}

void remove_trusted_key(
    const CallPtr<v1::RemoveTrustedKeyRequest, v1::RemoveTrustedKeyResponse>& call) {
  const std::string& id = call->request.key_id();
  if (id.size() != 16 || !from_hex(id)) {
    return call->finish(
        invalid("BAD_KEY_ID", "key_id: 16 hex digits, as `covey key list` shows them"));
  }
  execute_only(call, engine::RemoveTrustedKeyCommand{id},
               [](const engine::CommandReply&, auto&) {});
}

void import_root(const CallPtr<v1::ImportRootRequest, v1::ImportRootResponse>& call) {
  constexpr int kNamedMax = 100;
  const std::string& document = call->request.document();
  if (document.size() > kSignedRootBytesMax) {
    return call->finish(
        invalid("ROOT_MALFORMED", fmt::format("document: has {} bytes, at most {} are allowed",
                                              document.size(), kSignedRootBytesMax)));
  }
  execute(call, engine::ImportRoot{Bytes(document.begin(), document.end())}, "",
          [](const engine::Engine& engine, const engine::CommandReply& reply, auto& c) -> Status {
            const engine::CatalogueState& catalogue = engine.state().catalogue;
            v1::ImportRootResponse& to = c.response;
            to.set_already_existed(reply.already_existed);
            if (catalogue.root != nullptr) {
              fill(*to.mutable_root(), catalogue.roots.at(catalogue.root->version));
            }
            for (const std::string& name : reply.withheld) {
              if (to.withheld_size() < kNamedMax) to.add_withheld(name);
            }
            for (const std::string& name : reply.paused) {
              if (to.paused_size() < kNamedMax) to.add_paused(name);
            }
            return {};
          });
}

void get_root(const CallPtr<v1::GetRootRequest, v1::GetRootResponse>& call) {
  answer(call, [](const engine::Engine& engine, auto& c) -> Status {
    const auto& roots = engine.state().catalogue.roots;
    const uint32_t version = c.request.version();
    const auto found =
        version != 0 ? roots.find(version) : (roots.empty() ? roots.end() : std::prev(roots.end()));
    if (found == roots.end()) {
      return not_found(version == 0 ? std::string("this site has no root document: trusted keys "
                                                  "say who may sign (`covey key list`)")
                                    : fmt::format("there is no root document version {}", version));
    }
    fill(*c.response.mutable_root(), found->second);
    return {};
  });
}

void rotate_site_secret(
    const CallPtr<v1::RotateSiteSecretRequest, v1::RotateSiteSecretResponse>& call) {
  if (!call->context->make_secret) {
    return call->finish(precondition("NO_SITE_KEY", "this site has no key for its secrets"));
  }
  const auto rotate = [call](const Status& looked) {
    if (!looked) return call->finish(looked);
    Result<engine::RotateSecret> command =
        call->context->make_secret(call->response.secret_number());
    if (!command) return call->finish(command.error());
    call->context->engine.submit(request_of(call->caller, *std::move(command)),
                                 [call](const Result<engine::CommandReply>& reply) {
                                   call->finish(reply ? Status() : Status(reply.error()));
                                 });
  };
  call->context->engine.read(
      [call](const engine::Engine& engine) {
        v1::RotateSiteSecretResponse& to = call->response;
        to.set_secret_number(engine::newest_secret(engine.state()) + 1);
        for (const auto& [id, device] : engine.state().fleet.devices) {
          if (device.state != DeviceState::kAccepted) continue;
          if (device.key.empty()) {
            to.set_devices_staying(to.devices_staying() + 1);
          } else {
            to.set_devices_following(to.devices_following() + 1);
          }
        }
      },
      rotate, call->wanted());
}

void get_audit_head(const CallPtr<v1::GetAuditHeadRequest, v1::GetAuditHeadResponse>& call) {
  const std::shared_ptr<const PrivateKey> key = call->context->audit_key;
  if (!key) return call->finish(precondition("NO_AUDIT_KEY", "this site has no audit key"));
  answer(call, [key](const engine::Engine& engine, auto& c) -> Status {
    const SiteRecord& site = engine.state().site;
    const AuditHead head{.site = c.context->site,
                         .sequence = site.audit_sequence,
                         .hash = site.audit_hash,
                         .signed_at = engine.state().clocks.last_now.wall};
    v1::AuditHead& to = *c.response.mutable_head();
    to.set_site(head.site);
    to.set_sequence(head.sequence);
    to.set_hash(to_hex(head.hash));
    to.set_sign_time_ms(head.signed_at.count());
    to.set_key_id(to_hex(key->public_key().id()));
    to.set_public_key_pem(key->public_key().to_pem());
    to.set_signature(to_hex(key->sign(digest_of(head))));
    return {};
  });
}

void list_audit_entries(
    const CallPtr<v1::ListAuditEntriesRequest, v1::ListAuditEntriesResponse>& call) {
  const Result<size_t> size = page_size(call->request.page_size());
  if (!size) return call->finish(size.error());
  Result<uint64_t> before = read_page_number("audit", call->request.page_token());
  if (!before) return call->finish(before.error());
  answer_from_history(
      call,
      [size = *size, before = *before](Reader& reader) {
        return reader.audit({.limit = size + 1, .before = before});
      },
      [size = *size](const std::vector<AuditRecord>& rows, auto& c) {
        PageRoom room(size);
        size_t shown = 0;
        for (; shown < rows.size() && room.has_room(); ++shown) {
          const AuditRecord& row = rows[shown];
          v1::AuditEntry& entry = *c.response.add_entries();
          entry.set_sequence(row.sequence);
          entry.set_time_ms(row.wall.count());
          entry.set_actor(row.actor);
          entry.set_action(row.action);
          entry.set_subject(row.subject);
          entry.set_detail(row.detail);
          entry.set_known(row.known);
          entry.set_from(row.from);
          entry.set_request_id(row.request_id);
          entry.set_before(row.before);
          entry.set_after(row.after);
          entry.set_previous_hash(to_hex(row.previous));
          entry.set_hash(to_hex(row.hash));
          room.take(entry);
        }
        if (rows.size() > shown) {
          c.response.set_next_page_token(
              page_token("audit", std::to_string(rows[shown - 1].sequence)));
        }
      });
}

}  // namespace covey::api
