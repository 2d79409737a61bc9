// Which table a record lives in, and how its row is bound and read: both list the columns in the
// table's order. reading is the caller's check: row.status(). Pure; one thread per Statement/Row.
#pragma once

#include "storage/sqlite/database.hpp"
#include "storage/sqlite/row.hpp"
#include "storage/sqlite/table.hpp"
#include "storage/store.hpp"

namespace covey::sqlite {

template <typename Record>
struct RowOf;  // const Table& table(); void bind(Statement&, const Record&); Record read(Row&);

#define COVEY_ROW_OF(Record)                          \
  template <>                                         \
  struct RowOf<Record> {                              \
    static const Table& table();                      \
    static void bind(Statement& to, const Record& r); \
    static Record read(Row& row);                     \
  }

// An artifact beside its release. `artifact` of a row that can't be reopened is null.
struct StoredArtifact {
  ArtifactRecord record;
};
// What rollouts and rollout_orders hold, each in its table.
struct RolloutOrder {
  RolloutName rollout;
  std::vector<DeviceId> devices;
  std::vector<Exclusion> excluded;
};

COVEY_ROW_OF(SiteRecord);
COVEY_ROW_OF(Device);
COVEY_ROW_OF(TrustedKeyRecord);
COVEY_ROW_OF(ReleaseRecord);  // without artifacts
COVEY_ROW_OF(StoredArtifact);
COVEY_ROW_OF(Rollout);  // without order and exclusions
COVEY_ROW_OF(RolloutOrder);
COVEY_ROW_OF(GateRecord);
COVEY_ROW_OF(Deployment);
COVEY_ROW_OF(CountRecord);
COVEY_ROW_OF(AssignmentRecord);
COVEY_ROW_OF(RequestRecord);
COVEY_ROW_OF(StreamRecord);
COVEY_ROW_OF(TotalRecord);
COVEY_ROW_OF(WindowRecord);
COVEY_ROW_OF(SampleRecord);
COVEY_ROW_OF(LabelRecord);
COVEY_ROW_OF(monitoring::Alert);
COVEY_ROW_OF(ReportRecord);
COVEY_ROW_OF(EventRecord);
COVEY_ROW_OF(AuditRecord);

#undef COVEY_ROW_OF

void bind(Statement& to, const ReleaseId& release);  // model, major, minor, patch
ReleaseId read_release(Row& row);

}  // namespace covey::sqlite
