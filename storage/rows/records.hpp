// SPDX-License-Identifier: Apache-2.0
// Every record that has a table, and what can be done with its columns. A column is one line in
// fleet.hpp, rollouts.hpp or telemetry.hpp, and a migration; a table is a columns() beside its
// table_name(), a place in `Records`, and a migration. Pure; any thread.
#pragma once

#include <tuple>

#include "storage/rows/fleet.hpp"
#include "storage/rows/rollouts.hpp"
#include "storage/rows/table.hpp"
#include "storage/rows/telemetry.hpp"

namespace covey::rows {

using Records =
    std::tuple<SiteRecord, SiteSecretRecord, Device, RevokedCertificate, ClaimRecord,
               ClaimIdsRecord, AuthorityRecord, TrustedKeyRecord, ReleaseRecord, ArtifactRow,
               RolloutPlan, RolloutOrder, ProgressRow, GateRecord, Deployment, CountRecord,
               AssignmentRecord, RequestRecord, StreamRecord, TotalRecord, WindowRecord,
               SampleRecord, LabelTallyRecord, LabelRecord, ReportRecord, monitoring::Alert,
               EventRecord, AuditRecord, TokenRecord, RootRecord>;

template <typename Record>
const Table& table_of() {
  static const Table table = [] {
    const Record record{};
    Table made{table_name(record), {}};
    Lister lister(made.columns);
    columns(lister, record);
    return made;
  }();
  return table;
}

template <typename Record>
void bind(auto& sink, const Record& record) {
  Binder binder(sink);
  columns(binder, record);
}
template <typename Record>
void bind_key(auto& sink, const Record& record) {
  KeyBinder binder(sink);
  columns(binder, record);
}
// What source.refuse() was told makes the record worthless.
template <typename Record>
void read(auto& source, Record& record) {
  Loader loader(source);
  columns(loader, record);
  if constexpr (requires { derive(record); }) {
    if (!source.status()) return;
    const Status derived = derive(record);
    if (!derived) source.refuse_row(derived.error().message);
  }
}

}  // namespace covey::rows
