// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/broker_acl.hpp"
#include "cli/commands.hpp"
#include "covey/v1/admin.pb.h"

namespace covey::cli {
namespace {

// What devices have to trust, or why there is nothing.
Result<v1::GetSiteResponse> site_with_ca(const Invocation& invocation) {
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return client.error();
  Result<v1::GetSiteResponse> site = (*client)->call<v1::GetSiteResponse>(v1::GetSiteRequest());
  if (!site) return site.error();
  if (!site->devices_over_tls() && site->ca_pem().empty()) {
    return precondition("NO_TLS",
                        "no listener of this site speaks TLS: all are on loopback, or "
                        "tls.plaintext lets them; set mqtt.embedded.listen, grpc.listen or "
                        "tls.plaintext");
  }
  if (site->ca_pem().empty()) {
    return precondition("NO_CA",
                        "the gateway shows a certificate of your own: tls.ca_file names what "
                        "devices have to trust for it");
  }
  return site;
}

int print_ca(const Invocation& invocation, bool fingerprint) {
  const Result<v1::GetSiteResponse> site = site_with_ca(invocation);
  if (!site) return invocation.fail(site.error());
  return invocation.print_json(
      {{"ca_pem", site->ca_pem()}, {"ca_fingerprint", site->ca_fingerprint()}},
      [&] { return fingerprint ? site->ca_fingerprint() + "\n" : site->ca_pem(); });
}

std::string rotated_page(const v1::RotateSiteSecretResponse& rotated) {
  std::string text = fmt::format("Secret {}: {} devices get keys of it by themselves.\n",
                                 rotated.secret_number(), rotated.devices_following());
  if (rotated.devices_staying() > 0) {
    text += fmt::format(
        "{} have no key of their own and keep theirs until `covey device reenroll`:\n"
        "  covey device list --filter 'secret < {}'\n",
        rotated.devices_staying(), rotated.secret_number());
  }
  return text;
}

void add_rotate_secret(CLI::App& site, Invocation& invocation) {
  CLI::App* rotate = site.add_subcommand(
      "rotate-secret", "A new secret, from which devices get their keys, bit by bit");
  rotate->footer(
      "Devices with a key of their own enrol once more by themselves, a few in a second; what they "
      "run goes on.\n`covey status` shows how many have which secret.\n"
      "Example:\n  covey site rotate-secret");
  on(rotate, invocation, [&invocation] {
    return call_and_print<v1::RotateSiteSecretResponse>(invocation, v1::RotateSiteSecretRequest(),
                                                        rotated_page);
  });
}

struct AclOptions {
  std::string broker;
  std::string gateway = "svc-gateway";
};

}  // namespace

void add_site_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* site = app.add_subcommand("site", "What the site is known by");
  site->require_subcommand(1);
  CLI::App* ca = site->add_subcommand("ca", "The certificate that devices have to trust (PEM)");
  ca->footer(
      "Example:\n  covey site ca > site-ca.pem   # into the firmware, or covey-sim --tls-ca");
  on(ca, invocation, [&invocation] { return print_ca(invocation, false); });
  CLI::App* fingerprint = site->add_subcommand("fingerprint", "SHA-256 of that certificate");
  fingerprint->footer("Example:\n  covey site fingerprint   # compare it with the log of coveyd");
  on(fingerprint, invocation, [&invocation] { return print_ca(invocation, true); });
  add_rotate_secret(*site, invocation);
  const auto options = std::make_shared<AclOptions>();
  CLI::App* acl = site->add_subcommand(
      "broker-acl", "Access rules for a broker of your own (mqtt.mode: external)");
  acl->add_option("broker", options->broker, "mosquitto, emqx, hivemq or vernemq")->required();
  acl->add_option("--gateway", options->gateway, "The user that coveyd connects as")
      ->capture_default_str();
  acl->footer(
      "Tried with mosquitto 2.0.11; the others follow their manuals and were not tried.\n"
      "Example:\n  covey site broker-acl mosquitto > /etc/mosquitto/covey.acl");
  on(acl, invocation, [&invocation, options] {
    const Result<std::string> text = broker_acl(options->broker, options->gateway);
    if (!text) return invocation.fail(text.error());
    return invocation.print_json({{"acl", *text}}, [&] { return *text; });
  });
}

}  // namespace covey::cli
