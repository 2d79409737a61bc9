// SPDX-License-Identifier: Apache-2.0
// Manufacturers whose certificates say who a device is.
#include <fmt/format.h>

#include <algorithm>

#include "core/limits.hpp"
#include "deploy/signing/sha256.hpp"
#include "gateway/api/handlers.hpp"
#include "gateway/api/names.hpp"

namespace covey::api {
namespace {

constexpr std::string_view kAuthorities = "authorities/";
constexpr size_t kAuthorityNameBytesMax = 32;
constexpr size_t kPemBytesMax = 2 * kAuthorityBytesMax;

Result<std::string> authority_name(std::string_view text, std::string_view field) {
  if (text.starts_with(kAuthorities)) text.remove_prefix(kAuthorities.size());
  const bool good = !text.empty() && text.size() <= kAuthorityNameBytesMax && text.front() != '-' &&
                    std::all_of(text.begin(), text.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                    });
  if (good) return std::string(text);
  return invalid("BAD_NAME",
                 fmt::format("{}: 1 to {} of a-z 0-9 -", field, kAuthorityNameBytesMax));
}

template <typename C>
Status show_authority(const C& call, const AuthorityRecord& row, v1::DeviceAuthority& to) {
  const Result<AuthorityFacts> facts = call.context->tls.read_authority(
      {reinterpret_cast<const char*>(row.certificate.data()), row.certificate.size()});
  to.set_name(std::string(kAuthorities) + row.name);
  to.set_fingerprint(to_hex(sha256(row.certificate)));
  to.set_create_time_ms(row.create_wall.count());
  if (!facts) return {};
  to.set_subject(facts->subject);
  to.set_until_ms(facts->until.count());
  return {};
}

}  // namespace

void add_device_authority(
    const CallPtr<v1::AddDeviceAuthorityRequest, v1::AddDeviceAuthorityResponse>& call) {
  Result<std::string> name = authority_name(call->request.authority(), "authority");
  if (!name) return call->finish(name.error());
  if (call->request.certificate().size() > kPemBytesMax) {
    return call->finish(
        invalid("BAD_FIELD", fmt::format("certificate: at most {} bytes", kPemBytesMax)));
  }
  const auto& read = call->context->tls.read_authority;
  Result<AuthorityFacts> facts = read(call->request.certificate());
  if (!facts) {
    return call->finish(invalid(facts.error().reason, "certificate: " + facts.error().message));
  }
  execute(
      call, engine::AddDeviceAuthority{*name, facts->certificate}, "",
      [name = *name](const engine::Engine& engine, const engine::CommandReply&, auto& c) -> Status {
        return show_authority(c, engine.state().fleet.authorities.at(name),
                              *c.response.mutable_authority());
      });
}

void list_device_authorities(
    const CallPtr<v1::ListDeviceAuthoritiesRequest, v1::ListDeviceAuthoritiesResponse>& call) {
  answer(call, [](const engine::Engine& engine, auto& c) -> Status {
    for (const auto& [name, row] : engine.state().fleet.authorities) {
      (void)show_authority(c, row, *c.response.add_authorities());
    }
    return {};
  });
}

void remove_device_authority(
    const CallPtr<v1::RemoveDeviceAuthorityRequest, v1::RemoveDeviceAuthorityResponse>& call) {
  Result<std::string> name = authority_name(call->request.name(), "name");
  if (!name) return call->finish(name.error());
  execute_only(call, engine::RemoveDeviceAuthority{*std::move(name)},
               [](const engine::CommandReply&, auto&) {});
}

}  // namespace covey::api
