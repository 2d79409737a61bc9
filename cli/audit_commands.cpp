// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "cli/commands.hpp"
#include "cli/files/audit_file.hpp"
#include "cli/files/files.hpp"
#include "deploy/signing/key_file.hpp"
#include "deploy/signing/sha256.hpp"

namespace covey::cli {
namespace {

struct AuditOptions {
  int32_t limit = 100;
  bool details = false;
  std::string file;
  std::string key;
  std::string head;
};

std::string change_of(const v1::AuditEntry& entry) {
  if (entry.before().empty() && entry.after().empty()) return entry.detail();
  std::string text = fmt::format("{} -> {}", entry.before().empty() ? "-" : entry.before(),
                                 entry.after().empty() ? "-" : entry.after());
  return entry.detail().empty() ? text : fmt::format("{}; {}", text, entry.detail());
}

std::string table_of(const v1::ListAuditEntriesResponse& r, const Invocation& invocation) {
  std::vector<std::string> head{"NUMBER", "TIME (UTC)", "WHO", "WHAT", "SUBJECT", "DETAIL"};
  if (invocation.wide()) head.insert(head.begin() + 3, {"KNOWN BY", "FROM", "REQUEST"});
  Table table(head);
  for (const v1::AuditEntry& entry : r.entries()) {
    std::vector<std::string> row{fmt::format("{}", entry.sequence()),
                                 utc(entry.time_ms()),
                                 entry.actor(),
                                 entry.action(),
                                 entry.subject(),
                                 change_of(entry)};
    if (invocation.wide()) {
      row.insert(row.begin() + 3, {entry.known(), entry.from(), entry.request_id()});
    }
    table.add(std::move(row));
  }
  const char* more =
      r.next_page_token().empty() ? "" : "There are older ones: --limit shows more.\n";
  return table.render(invocation.style) + more;
}

int list(const Invocation& invocation, const AuditOptions& options) {
  v1::ListAuditEntriesRequest request;
  request.set_page_size(options.limit);
  return call_and_print<v1::ListAuditEntriesResponse>(
      invocation, request, [&](const auto& r) { return table_of(r, invocation); });
}

int show_head(const Invocation& invocation) {
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return invocation.fail(client.error());
  const Result<v1::GetAuditHeadResponse> answer =
      (*client)->call<v1::GetAuditHeadResponse>(v1::GetAuditHeadRequest());
  if (!answer) return invocation.fail(answer.error());
  const std::string& pem = answer->head().public_key_pem();  // with its line breaks
  return invocation.print(*answer, [&pem](const v1::GetAuditHeadResponse& r) {
    return fmt::format("entry {}\nhash  {}\nkey   {}\n{}", r.head().sequence(), r.head().hash(),
                       r.head().key_id(), pem);
  });
}

// All that there is up to the head, which is asked for first: what is written meanwhile is left
// out.
Result<AuditLog> whole_log(const Invocation& invocation) {
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return client.error();
  Result<v1::GetAuditHeadResponse> head =
      (*client)->call<v1::GetAuditHeadResponse>(v1::GetAuditHeadRequest());
  if (!head) return head.error();
  Result<v1::ListAuditEntriesResponse> all =
      call_all_pages<v1::ListAuditEntriesResponse>(**client, v1::ListAuditEntriesRequest());
  if (!all) return all.error();
  AuditLog log;
  log.head = std::move(*head->mutable_head());
  std::move(all->mutable_entries()->begin(), all->mutable_entries()->end(),
            std::back_inserter(log.entries));
  std::erase_if(log.entries, [&log](const v1::AuditEntry& entry) {
    return entry.sequence() > log.head.sequence();
  });
  std::reverse(log.entries.begin(), log.entries.end());
  return log;
}

int export_log(const Invocation& invocation, const AuditOptions& options) {
  const Result<AuditLog> log = whole_log(invocation);
  if (!log) return invocation.fail(log.error());
  const std::string text = write_audit_log(*log);
  if (options.file.empty() || options.file == "-") return invocation.put(text);
  if (Status written = write_file(options.file, as_bytes(text), 0600); !written) {
    return invocation.fail(written.error());
  }
  return invocation.print(log->head, [&](const auto&) {
    return fmt::format("{}: {} entries, up to number {}\n", options.file, log->entries.size(),
                       log->head.sequence());
  });
}

Result<AuditLog> read_log(const std::string& file) {
  const Result<Bytes> bytes = read_file(file, kAuditFileBytesMax);
  if (!bytes) return bytes.error();
  return read_audit_log({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
}

Result<AuditTrust> trust_of(const AuditOptions& options) {
  AuditTrust trust;
  if (!options.key.empty()) {
    const Result<PublicKey> key = read_public_key(options.key);
    if (!key) return key.error();
    trust.key = *key;
  }
  if (!options.head.empty()) {
    const Result<AuditLog> earlier = read_log(options.head);
    if (!earlier) {
      Error error = earlier.error();
      error.message = "--head " + options.head + ": " + error.message;
      return error;
    }
    trust.earlier = earlier->head;
  }
  return trust;
}

int verify(const Invocation& invocation, const AuditOptions& options) {
  const Result<AuditTrust> trust = trust_of(options);
  if (!trust) return invocation.fail(trust.error());
  const Result<AuditLog> log =
      options.file.empty() ? whole_log(invocation) : read_log(options.file);
  if (!log) return invocation.fail(log.error());
  if (Status good = verify_audit_log(*log, *trust); !good) return invocation.fail(good.error());
  return invocation.print(log->head, [&](const v1::AuditHead& head) {
    std::string text = fmt::format("{} entries, up to number {}: none changed, removed or moved.\n",
                                   log->entries.size(), head.sequence());
    if (!log->entries.empty() && log->entries.front().sequence() > 1) {
      text += fmt::format(
          "The oldest is number {}, of {}: older ones were forgotten by age "
          "(rollout.retention), or somebody has removed them. Compare with an "
          "earlier export: --head FILE.\n",
          log->entries.front().sequence(), utc(log->entries.front().time_ms()));
    }
    text += fmt::format("Signed by key {}{}\n", head.key_id(),
                        trust->key || trust->earlier
                            ? ", as expected."
                            : ": compare it with the site's (covey admin audit head), or name it "
                              "by --key.");
    return text;
  });
}

void add_checks(CLI::App* command, const std::shared_ptr<AuditOptions>& options) {
  command->add_option("--key", options->key, "The site's audit key (PEM), kept from earlier");
  command->add_option("--head", options->head,
                      "An earlier export: the log must have grown out of that one");
}

}  // namespace

void add_admin_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* admin = app.add_subcommand("admin", "The site's own records");
  admin->require_subcommand(1);
  CLI::App* audit = admin->add_subcommand(
      "audit", "Every change and who was not let in: who, when, from where, what; newest first");
  audit->require_subcommand(0, 1);
  audit->footer(
      "Example:\n  covey admin audit -o wide\n  covey admin audit export audit.jsonl   # keep it "
      "elsewhere\n  covey admin audit verify --head audit.jsonl");
  const auto options = std::make_shared<AuditOptions>();
  audit->add_option("--limit", options->limit, "How many")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  on(audit, invocation, [&invocation, audit, options] {
    if (!audit->get_subcommands().empty()) return invocation.exit_code;
    return list(invocation, *options);
  });

  CLI::App* head = audit->add_subcommand(
      "head", "The newest entry's hash, signed by the site: keep it elsewhere");
  head->footer("Example:\n  covey admin audit head -o json > head.json");
  on(head, invocation, [&invocation] { return show_head(invocation); });

  CLI::App* all = audit->add_subcommand(
      "export", "All of it, the oldest first: a line of JSON each, and the signed head");
  all->footer("Example:\n  covey admin audit export audit-2026-12.jsonl");
  all->add_option("FILE", options->file, "Where to; -: standard output")->required();
  on(all, invocation, [&invocation, options] { return export_log(invocation, *options); });

  CLI::App* check = audit->add_subcommand(
      "verify", "Whether entries were changed, removed or moved, here or in an export");
  check->footer(
      "Example:\n  covey admin audit verify\n  covey admin audit verify audit-2026-12.jsonl --key "
      "site-audit.pub");
  check->add_option("FILE", options->file, "An export; without: the site's log as it is now");
  add_checks(check, options);
  on(check, invocation, [&invocation, options] { return verify(invocation, *options); });
}

}  // namespace covey::cli
