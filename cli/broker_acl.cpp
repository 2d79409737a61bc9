// SPDX-License-Identifier: Apache-2.0
#include "cli/broker_acl.hpp"

#include <fmt/format.h>

#include <array>

namespace covey::cli {
namespace {

constexpr unsigned kShards = 64;
constexpr std::array<std::string_view, 5> kKinds{"report", "fetch", "status", "hello", "bye"};

std::string mosquitto(std::string_view gateway) {
  std::string text = fmt::format(
      "# acl_file of every listener. On that of devices: use_username_as_clientid true; with\n"
      "# certificates also require_certificate true and use_identity_as_username true.\n"
      "user {}\n"
      "topic readwrite covey/#\n"
      "# A device whose user name is its id:\n"
      "pattern read covey/v1/+/%u/down/+\n"
      "pattern read covey/v1/site\n"
      "pattern read covey/v1/m/+\n",
      gateway);
  for (const std::string_view kind : kKinds) {
    for (unsigned shard = 0; shard < kShards; ++shard) {
      text += fmt::format("pattern write covey/v1/{:02x}/%u/up/{}\n", shard, kind);
    }
  }
  return text +
         "# On a listener of its own, for devices that enrol (user enroll, client id = device):\n"
         "# pattern write covey/v1/enroll/%c/up\n"
         "# pattern read covey/v1/enroll/%c/down\n";
}

// acl.conf of EMQX 5: the first rule that fits counts.
std::string emqx(std::string_view gateway) {
  std::string text = fmt::format(
      "%% etc/acl.conf, with authorization.no_match = deny. On listeners of devices:\n"
      "%% mountpoint none, peer_cert_as_username = cn and peer_cert_as_clientid = cn with\n"
      "%% certificates; else an authenticator that demands client id = user name.\n"
      "{{allow, {{username, \"{}\"}}, all, [\"covey/#\"]}}.\n"
      "{{allow, {{username, \"enroll\"}}, publish, [\"covey/v1/enroll/${{clientid}}/up\"]}}.\n"
      "{{allow, {{username, \"enroll\"}}, subscribe, [\"covey/v1/enroll/${{clientid}}/down\"]}}.\n"
      "{{deny, {{username, \"enroll\"}}, all, [\"#\"]}}.\n"
      "{{allow, all, subscribe, [\"covey/v1/site\", \"covey/v1/m/+\",\n"
      "                        \"covey/v1/+/${{username}}/down/+\"]}}.\n",
      gateway);
  for (const std::string_view kind : kKinds) {
    text += fmt::format("{{allow, all, publish, [\"covey/v1/+/${{username}}/up/{}\"]}}.\n", kind);
  }
  return text + "{deny, all}.\n";
}

// Roles of the file RBAC extension.
std::string hivemq(std::string_view gateway) {
  const auto permission = [](std::string_view topic, std::string_view activity) {
    return fmt::format(
        "        <permission><topic>{}</topic><activity>{}</activity>"
        "<retain>NOT_RETAINED</retain></permission>\n",
        topic, activity);
  };
  const auto any = [](std::string_view topic, std::string_view activity) {
    return fmt::format(
        "        <permission><topic>{}</topic><activity>{}</activity></permission>\n", topic,
        activity);
  };
  std::string text =
      "<!-- roles of the file RBAC extension; give the user of coveyd \"gateway\", devices "
      "\"device\".\n     User names must be client ids: demand it in the authenticator. -->\n"
      "<roles>\n  <role>\n    <id>gateway</id>  <!-- " +
      std::string(gateway) + " -->\n    <permissions>\n" + any("covey/#", "ALL") +
      "    </permissions>\n  </role>\n  <role>\n    <id>device</id>\n    <permissions>\n";
  for (const std::string_view topic :
       {"covey/v1/site", "covey/v1/m/+", "covey/v1/+/${{username}}/down/+"}) {
    text += any(topic, "SUBSCRIBE");
  }
  for (const std::string_view kind : kKinds) {
    text += permission(fmt::format("covey/v1/+/${{{{username}}}}/up/{}", kind), "PUBLISH");
  }
  return text +
         "    </permissions>\n  </role>\n  <role>\n    <id>enroll</id>\n    <permissions>\n" +
         permission("covey/v1/enroll/${{clientid}}/up", "PUBLISH") +
         any("covey/v1/enroll/${{clientid}}/down", "SUBSCRIBE") +
         "    </permissions>\n  </role>\n</roles>\n";
}

// vmq.acl: patterns as mosquitto's, where topics of devices need no line per shard because VerneMQ
// has quotas of its own.
std::string vernemq(std::string_view gateway) {
  std::string text = fmt::format(
      "# vmq.acl, with vmq_acl.acl_file. On listeners of devices: use_identity_as_username = on\n"
      "# with certificates, and allow_multiple_sessions = off.\n"
      "user {}\n"
      "topic covey/#\n"
      "pattern read covey/v1/+/%u/down/+\n"
      "pattern read covey/v1/site\n"
      "pattern read covey/v1/m/+\n",
      gateway);
  for (const std::string_view kind : kKinds) {
    text += fmt::format("pattern write covey/v1/+/%u/up/{}\n", kind);
  }
  return text +
         "# For devices that enrol, if they are let in at all:\n"
         "# pattern write covey/v1/enroll/%c/up\n"
         "# pattern read covey/v1/enroll/%c/down\n";
}

}  // namespace

Result<std::string> broker_acl(std::string_view broker, std::string_view gateway) {
  if (broker == "mosquitto") return mosquitto(gateway);
  if (broker == "emqx") return emqx(gateway);
  if (broker == "hivemq") return hivemq(gateway);
  if (broker == "vernemq") return vernemq(gateway);
  return invalid("UNKNOWN_BROKER",
                 fmt::format("'{}' must be mosquitto, emqx, hivemq or vernemq", broker));
}

}  // namespace covey::cli
