// SPDX-License-Identifier: Apache-2.0
#include "storage/sqlite/writer.hpp"

#include <fmt/format.h>

namespace covey::sqlite {

Status Writer::operator()(const RemoveToken& w) { return remove(TokenRecord{.name = w.name}); }

Status Writer::operator()(const ForgetRevoked& w) {
  return remove(RevokedCertificate{.serial = w.serial, .device = {}, .until = {}});
}

Status Writer::operator()(const RemoveSiteSecret& w) {
  return remove(SiteSecretRecord{.number = w.number, .sealed = {}, .create_wall = {}});
}

Status Writer::operator()(const RemoveAuthority& w) {
  return remove(AuthorityRecord{.name = w.name});
}
Status Writer::operator()(const RemoveTrustedKey& w) {
  return remove(TrustedKeyRecord{.key_id = w.key_id});
}

Status Writer::operator()(const RemoveAssignment& w) {
  return remove(AssignmentRecord{.number = w.number});
}

Status Writer::operator()(const RemoveRequest& w) {
  return remove(RequestRecord{.request_id = w.request_id});
}

Status Writer::operator()(const RemoveStream& w) {
  return remove(StreamRecord{.device = w.device, .boot_id = w.boot_id, .manifest = w.manifest});
}

Status Writer::operator()(const RemoveTotal& w) {
  return remove(TotalRecord{.device = w.device, .manifest = w.manifest, .cohort = w.cohort});
}

Status Writer::operator()(const RemoveLabel& w) {
  return remove(LabelRecord{.device = w.device, .boot_id = w.boot_id, .inference = w.inference});
}

Status Writer::operator()(const ForgetDevice& w) {
  Status done;
  for (const char* sql :
       {"DELETE FROM devices WHERE device = ?", "DELETE FROM streams WHERE device = ?",
        "DELETE FROM totals WHERE device = ?", "DELETE FROM samples WHERE device = ?",
        "DELETE FROM labels WHERE device = ?", "DELETE FROM label_tallies WHERE device = ?"}) {
    if (done) done = run(sql, [&](Statement& to) { to.text(w.device.str()); });
  }
  return done;
}

Status Writer::operator()(const ForgetRollout& w) {
  Status done;
  for (const char* sql :
       {"DELETE FROM rollouts WHERE rollout = ?", "DELETE FROM rollout_plans WHERE rollout = ?",
        "DELETE FROM rollout_orders WHERE rollout = ?", "DELETE FROM gates WHERE rollout = ?",
        "DELETE FROM rollout_counts WHERE rollout = ?", "DELETE FROM events WHERE rollout = ?",
        "DELETE FROM past_deployments WHERE rollout = ?"}) {
    if (done) done = run(sql, [&](Statement& to) { to.text(w.rollout.str()); });
  }
  return done;
}

Status Writer::operator()(const PutRelease& w) {
  static const std::string remove_artifacts =
      "DELETE FROM artifacts WHERE " + rows::with_key(rows::table_of<ReleaseRecord>());
  Status done = put(w.release);
  if (done) done = run(remove_artifacts, [&](Statement& to) { rows::bind_key(to, w.release); });
  for (const ArtifactRecord& artifact : w.release.artifacts) {
    if (!done) return done;
    done = put(rows::row_of(artifact));
  }
  return done;
}

Status Writer::operator()(const PutRolloutPlan& w) {
  if (Status done = put(*w.plan); !done) return done;
  return put(rows::RolloutOrder{w.plan->name, w.plan->order, w.plan->excluded});
}

Status Writer::operator()(const PutRolloutProgress& w) {
  return put(rows::ProgressRow{w.rollout, w.progress});
}

Status Writer::operator()(const ArchiveDeployment& w) {
  static const std::string copy = fmt::format(
      "INSERT OR REPLACE INTO past_deployments ({0}) SELECT {0} FROM deployments WHERE number = ?",
      rows::names_of(rows::table_of<Deployment>()));
  Status done = run(copy, [&](Statement& to) { to.number(w.number); });
  if (done) done = remove(Deployment{.number = w.number});
  return done;
}

Status Writer::operator()(const Forget& w) {
  const auto between = [](Millis before, Millis after) {
    return [before, after](Statement& to) { to.integer(before.count()).integer(after.count()); };
  };
  const auto reports = [&](Statement& to) { to.integer(w.reports_before.count()); };
  Status done =
      run("DELETE FROM windows WHERE (start_wall_ms < ?1 AND start_wall_ms + length_ms <= ?1) "
          "OR start_wall_ms > ?2",
          between(w.windows_before, w.after));
  if (done) {
    done = run("DELETE FROM samples WHERE wall_ms < ?1 OR wall_ms > ?2",
               between(w.labels_before, w.after));
  }
  if (done) {
    done = run("DELETE FROM labels WHERE wall_ms < ?1 OR wall_ms > ?2",
               between(w.labels_before, w.after));
  }
  if (done) {
    done = run("DELETE FROM label_tallies WHERE start_wall_ms < ?1 OR start_wall_ms > ?2",
               between(w.labels_before, w.after));
  }
  if (done) {
    done = run("DELETE FROM alerts WHERE resolved_wall_ms < ?",
               [&](Statement& to) { to.integer(w.alerts_before.count()); });
  }
  // Both are in the order of time: what is old is at their beginning.
  if (done) {
    done = run(
        "DELETE FROM past_deployments WHERE rollout IS NULL AND number < coalesce((SELECT number "
        "FROM past_deployments WHERE rollout IS NULL AND update_wall_ms >= ? ORDER BY number LIMIT "
        "1), 9223372036854775807)",
        [&](Statement& to) { to.integer(w.attempts_before.count()); });
  }
  if (done) {
    done = run(
        "DELETE FROM audit WHERE sequence <= ?1 OR sequence < coalesce((SELECT sequence FROM audit "
        "WHERE wall_ms >= ?2 ORDER BY sequence LIMIT 1), 9223372036854775807)",
        [&](Statement& to) { to.number(w.audit_up_to).integer(w.audit_before.count()); });
  }
  // The log is in the order of arrival: no index is needed to find what is old.
  if (done) {
    done = run(
        "DELETE FROM reports WHERE position <= (SELECT reports_settled FROM site) AND position < "
        "coalesce((SELECT position FROM reports WHERE wall_ms >= ?1 ORDER BY position LIMIT 1), "
        "9223372036854775807)",
        reports);
  }
  return done;
}

}  // namespace covey::sqlite
