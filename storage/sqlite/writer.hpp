// SPDX-License-Identifier: Apache-2.0
// Writes as rows, within the caller's transaction. Each statement is prepared at its first use and
// kept; what it binds is borrowed from the write. One thread; not beyond the Database.
// Errors: those of database.hpp.
#pragma once

#include <string>
#include <tuple>

#include "storage/rows/records.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/store.hpp"

namespace covey::sqlite {

class Writer {
 public:
  explicit Writer(Database& database) : database_(database) {}

  Status write(const Write& write) { return std::visit(*this, write); }

  // One overload per Write: a new kind is a compile error here.
  Status operator()(const PutSite& w) { return put(w.site); }
  Status operator()(const PutDevice& w) { return put(w.device); }
  Status operator()(const PutRevoked& w) { return put(w.certificate); }
  Status operator()(const ForgetRevoked& w);
  Status operator()(const PutSiteSecret& w) { return put(w.secret); }
  Status operator()(const RemoveSiteSecret& w);
  Status operator()(const PutClaim& w) { return put(w.claim); }
  Status operator()(const PutClaimIds& w) { return put(w.claim); }
  Status operator()(const PutAuthority& w) { return put(w.authority); }
  Status operator()(const RemoveAuthority& w);
  Status operator()(const PutTrustedKey& w) { return put(w.key); }
  Status operator()(const RemoveTrustedKey& w);
  Status operator()(const PutRoot& w) { return put(w.root); }
  Status operator()(const PutToken& w) { return put(w.token); }
  Status operator()(const RemoveToken& w);
  Status operator()(const PutRelease& w);
  Status operator()(const PutRolloutPlan& w);
  Status operator()(const PutRolloutProgress& w);
  Status operator()(const PutGates& w) { return put(w.gates); }
  Status operator()(const PutDeployment& w) { return put(w.deployment); }
  Status operator()(const ArchiveDeployment& w);
  Status operator()(const PutCount& w) { return put(w.count); }
  Status operator()(const PutAssignment& w) { return put(w.assignment); }
  Status operator()(const RemoveAssignment& w);
  Status operator()(const PutRequest& w) { return put(w.request); }
  Status operator()(const RemoveRequest& w);
  Status operator()(const PutStream& w) { return put(w.stream); }
  Status operator()(const RemoveStream& w);
  Status operator()(const ForgetDevice& w);
  Status operator()(const ForgetRollout& w);
  Status operator()(const PutTotal& w) { return put(w.total); }
  Status operator()(const RemoveTotal& w);
  Status operator()(const PutWindow& w) { return put(w.window); }
  Status operator()(const PutSample& w) { return put(w.sample); }
  Status operator()(const PutLabel& w) { return put(w.label); }
  Status operator()(const RemoveLabel& w);
  Status operator()(const PutLabelTally& w) { return put(w.tally); }
  Status operator()(const PutAlert& w) { return put(w.alert); }
  Status operator()(const AppendReport& w) { return append(w.report); }
  Status operator()(const AppendEvent& w) { return append(w.event); }
  Status operator()(const AppendAudit& w) { return append(w.entry); }
  Status operator()(const Forget& w);

 private:
  // Null until first used.
  template <typename Record>
  struct Prepared {
    Statement* put = nullptr;
    Statement* put_changed = nullptr;
    Statement* append = nullptr;
    Statement* remove = nullptr;
  };
  template <typename Records>
  struct PreparedOf;
  template <typename... Record>
  struct PreparedOf<std::tuple<Record...>> {
    using Type = std::tuple<Prepared<Record>...>;
  };
  using MakeSql = std::string (*)(const rows::Table&);

  template <typename Record>
  Status put(const Record& record) {
    return run(of<Record>().put, rows::put_sql, record);
  }
  template <typename Record>
  Status put_changed(const Record& record) {
    return run(of<Record>().put_changed, rows::put_changed_sql, record);
  }
  template <typename Record>
  Status append(const Record& record) {
    return run(of<Record>().append, rows::append_sql, record);
  }
  // The row with the record's key.
  template <typename Record>
  Status remove(const Record& record) {
    Statement*& statement = of<Record>().remove;
    if (Status ready = prepare<Record>(statement, rows::remove_sql); !ready) return ready;
    rows::bind_key(*statement, record);
    return statement->run();
  }

  template <typename Record>
  Prepared<Record>& of() {
    return std::get<Prepared<Record>>(prepared_);
  }
  template <typename Record>
  Status run(Statement*& statement, MakeSql sql, const Record& record) {
    if (Status ready = prepare<Record>(statement, sql); !ready) return ready;
    rows::bind(*statement, record);
    return statement->run();
  }
  template <typename Record>
  Status prepare(Statement*& statement, MakeSql sql) {
    if (statement != nullptr) return {};
    Result<Statement*> made = database_.cached(sql(rows::table_of<Record>()));
    if (!made) return made.error();
    statement = *made;
    return {};
  }
  template <typename Bind>
  Status run(const std::string& sql, const Bind& bind) {
    Result<Statement*> statement = database_.cached(sql);
    if (!statement) return statement.error();
    bind(**statement);
    return (*statement)->run();
  }

  Database& database_;
  PreparedOf<rows::Records>::Type prepared_;
};

}  // namespace covey::sqlite
