// SPDX-License-Identifier: Apache-2.0
// covey claim: credentials of a batch of devices, which can do nothing but ask to be let in.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "cli/commands.hpp"
#include "cli/files/files.hpp"
#include "core/duration.hpp"
#include "covey/v1/devices.pb.h"

namespace covey::cli {
namespace {

struct ClaimOptions {
  std::string name;
  uint32_t count = 1;
  std::string expires;
  std::string ids_file;
  bool hmac = false;
  bool accept = false;
};

constexpr size_t kIdsFileBytesMax = 1U << 20U;

// One id a line; what follows a # is a remark.
Result<std::vector<std::string>> ids_of(const std::string& path) {
  const Result<Bytes> bytes = read_file(path, kIdsFileBytesMax);
  if (!bytes) return bytes.error();
  const std::string text(bytes->begin(), bytes->end());
  std::vector<std::string> ids;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    line = line.substr(0, line.find('#'));
    const size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos) continue;
    ids.push_back(line.substr(first, line.find_last_not_of(" \t\r") - first + 1));
  }
  if (ids.empty()) return invalid("NO_IDS", path + ": it lists no id");
  return ids;
}

std::string state_of(const v1::Claim& claim, int64_t now_ms) {
  if (claim.revoke_time_ms() != 0) return "REVOKED";
  if (claim.expire_time_ms() != 0 && claim.expire_time_ms() <= now_ms) return "ENDED";
  if (claim.used() >= claim.count_max()) return "USED_UP";
  return "GOOD";
}

std::string policy_of(const v1::Claim& claim) {
  std::string text = claim.accept() ? "accepts" : "asks an operator";
  if (claim.ids() > 0) text += fmt::format(", {} ids", claim.ids());
  if (claim.per_device()) text += ", a proof per device";
  return text;
}

int64_t now_ms() {
  return std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

int create(const Invocation& invocation, const ClaimOptions& options) {
  v1::CreateClaimRequest request;
  request.set_claim(options.name);
  request.set_count(options.count);
  request.set_per_device(options.hmac);
  request.set_accept(options.accept);
  if (!options.expires.empty()) {
    const Result<Millis> life = parse_duration(options.expires);
    if (!life) return invocation.fail(life.error());
    request.set_life_ms(life->count());
  }
  if (!options.ids_file.empty()) {
    const Result<std::vector<std::string>> ids = ids_of(options.ids_file);
    if (!ids) return invocation.fail(ids.error());
    for (const std::string& id : *ids) request.add_ids(id);
  }
  return call_and_print<v1::CreateClaimResponse>(invocation, request, [](const auto& r) {
    std::string page = fmt::format(
        "Claim {} for {} devices; it {}.\nShown once:\n  user          {}\n  password      {}\n",
        id_of(r.claim().name()), r.claim().count_max(), policy_of(r.claim()), r.username(),
        r.password());
    if (!r.batch_secret().empty()) {
      page += fmt::format(
          "  batch secret  {}\n"
          "The proof of a device is the HMAC-SHA-256 of its id with the batch secret as key:\n"
          "  printf %s DEVICE_ID | openssl dgst -sha256 -mac HMAC -macopt hexkey:BATCH_SECRET\n",
          r.batch_secret());
    }
    return page;
  });
}

int list(const Invocation& invocation) {
  return call_and_print<v1::ListClaimsResponse>(
      invocation, v1::ListClaimsRequest(), [&](const auto& r) {
        Table table({"CLAIM", "STATE", "USED", "WAITING", "EXPIRES", "POLICY"});
        for (const v1::Claim& claim : r.claims()) {
          table.add({id_of(claim.name()), state_of(claim, now_ms()),
                     fmt::format("{}/{}", claim.used(), claim.count_max()),
                     fmt::format("{}", claim.waiting()),
                     claim.expire_time_ms() == 0 ? "never" : utc(claim.expire_time_ms()),
                     policy_of(claim)});
        }
        if (table.empty()) return std::string("No claims. covey claim create NAME makes one.\n");
        return table.render(invocation.style);
      });
}

}  // namespace

void add_claim_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* claim =
      app.add_subcommand("claim", "Credentials of a batch of devices that may ask to be let in");
  claim->require_subcommand(1);
  const auto options = std::make_shared<ClaimOptions>();
  CLI::App* make = claim->add_subcommand("create", "Make one, and show its secrets once");
  make->add_option("name", options->name, "1 to 15 of a-z 0-9 -")->required();
  make->add_option("--count", options->count, "Devices that it may bring")->capture_default_str();
  make->add_option("--expires", options->expires, "After this time it is over; without: never")
      ->check(a_duration());
  make->add_option("--ids", options->ids_file, "Only these device ids: a file, one a line");
  make->add_flag("--hmac", options->hmac, "Each device proves its id by an HMAC of the factory's");
  make->add_flag("--accept", options->accept,
                 "Accept them without asking an operator; with --ids or --hmac");
  make->footer(
      "Examples:\n  covey claim create batch-7 --count 200 --expires 30d --ids ids.txt --accept\n"
      "  covey claim create line-2 --count 5000 --hmac --accept");
  on(make, invocation, [&invocation, options] { return create(invocation, *options); });
  CLI::App* all = claim->add_subcommand("list", "Claims, without their secrets");
  on(all, invocation, [&invocation] { return list(invocation); });
  CLI::App* revoke = claim->add_subcommand("revoke", "Nobody comes in by it any more");
  revoke->add_option("name", options->name, "The claim")->required();
  revoke->footer("Devices that it brought stay.\nExample:\n  covey claim revoke batch-7");
  on(revoke, invocation, [&invocation, options] {
    v1::RevokeClaimRequest request;
    request.set_name(resource("claims", options->name));
    return call_and_print<v1::RevokeClaimResponse>(invocation, request, [](const auto& r) {
      return fmt::format("Revoked {}: it brought {} devices.\n", id_of(r.claim().name()),
                         r.claim().used());
    });
  });
}

}  // namespace covey::cli
