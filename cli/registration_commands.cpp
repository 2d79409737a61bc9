// SPDX-License-Identifier: Apache-2.0
// covey device import, export, replace, decommission; covey ca: who may come before he is here, and
// who goes for good.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/files/device_file.hpp"
#include "cli/files/files.hpp"
#include "covey/v1/devices.pb.h"

namespace covey::cli {
namespace {

struct RegistrationOptions {
  std::string file;
  std::string device;
  std::string successor;
  std::string filter;
  std::string key;
  std::string name;
  bool dry_run = false;
};

v1::ImportDevicesRequest request_of(const DeviceFile& file, bool dry_run) {
  v1::ImportDevicesRequest request;
  request.set_validate_only(dry_run);
  for (const DeviceLine& line : file.lines()) {
    v1::Registration& row = *request.add_devices();
    row.set_device_id(line.id);
    row.set_device_class(line.device_class);
    for (const auto& [key, value] : line.labels) (*row.mutable_labels())[key] = value;
    row.set_key_fingerprint(line.key);
    row.set_certificate_fingerprint(line.certificate);
  }
  return request;
}

int import(const Invocation& invocation, const RegistrationOptions& options) {
  const Result<Bytes> bytes = read_file(options.file, kDeviceFileBytesMax);
  if (!bytes) return invocation.fail(bytes.error());
  const Result<DeviceFile> file =
      DeviceFile::read({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
  if (!file) {
    Error error = file.error();
    error.message = fmt::format("{}: {}", options.file, error.message);
    return invocation.fail(error);
  }
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return invocation.fail(client.error());
  Result<v1::ImportDevicesResponse> done =
      (*client)->call<v1::ImportDevicesResponse>(request_of(*file, options.dry_run));
  if (!done) {
    Error error = done.error();
    error.message = fmt::format("{}: {}", options.file, file->with_lines(error.message));
    return invocation.fail(error);
  }
  return invocation.print(*done, [&](const auto& r) {
    return fmt::format("{}{} new, {} changed, {} accepted already.\n",
                       options.dry_run ? "Would be registered: " : "Registered: ", r.registered(),
                       r.changed(), r.known());
  });
}

// As import takes it, in another site, too.
std::string file_of(const v1::ListDevicesResponse& list) {
  std::string out = std::string(kDeviceFileHead) + "\n";
  for (const v1::Device& device : list.devices()) {
    const DeviceLine line{.line = 0,
                          .id = id_of(device.name()),
                          .device_class = device.device_class(),
                          .labels = {device.labels().begin(), device.labels().end()},
                          .key = device.key_fingerprint().empty() ? device.registered_key()
                                                                  : device.key_fingerprint(),
                          .certificate = device.registered_certificate()};
    out += device_line(line) + "\n";
  }
  return out;
}

void add_import(CLI::App& device, Invocation& invocation,
                const std::shared_ptr<RegistrationOptions>& options) {
  CLI::App* in = device.add_subcommand("import", "Register devices before they come");
  in->add_option("file", options->file, "id,class,labels,key,certificate, one device a line")
      ->required();
  in->add_flag("--dry-run", options->dry_run, "Say what would come of it, and change nothing");
  in->footer(
      "A device that shows the key (or certificate) of its line is accepted at once, another one "
      "under\nits id is refused. All lines are taken, or none.\n"
      "Example:\n  covey device import devices.csv\nwith\n"
      "  id,class,labels,key,certificate\n"
      "  press-07,m4f-256k,hall=b;line=press,3f9a...,   # SHA-256 of its public key, 64 digits");
  on(in, invocation, [&invocation, options] { return import(invocation, *options); });

  CLI::App* out = device.add_subcommand("export", "Write devices as import takes them");
  out->add_option("--filter", options->filter, "AIP-160 filter");
  out->footer("Example:\n  covey device export --filter 'labels.hall = b' > devices.csv");
  on(out, invocation, [&invocation, options] {
    v1::ListDevicesRequest request;
    request.set_filter(options->filter);
    return list_and_print<v1::ListDevicesResponse>(invocation, request,
                                                   [](const auto& r) { return file_of(r); });
  });
}

void add_succession(CLI::App& device, Invocation& invocation,
                    const std::shared_ptr<RegistrationOptions>& options) {
  CLI::App* replace = device.add_subcommand("replace", "Put other hardware in a device's place");
  replace->add_option("old", options->device, "Device id that goes")->required();
  replace->add_option("new", options->successor, "Device id that takes its place")->required();
  replace->add_option("--key", options->key,
                      "SHA-256 of the new device's own key: no other one is accepted");
  replace->footer(
      "Labels, class and what it should run go over; the old one is decommissioned. A new one that "
      "\nwaits is accepted; one that has not come yet is registered.\n"
      "Example:\n  covey device replace press-07 press-07b --key 3f9a...");
  on(replace, invocation, [&invocation, options] {
    v1::ReplaceDeviceRequest request;
    request.set_name(resource("devices", options->device));
    request.set_successor(resource("devices", options->successor));
    request.set_key_fingerprint(options->key);
    return call_and_print<v1::ReplaceDeviceResponse>(invocation, request, [&](const auto& r) {
      return fmt::format("{} takes the place of {}, which is decommissioned.\n",
                         escaped(id_of(r.device().name())), escaped(id_of(options->device)));
    });
  });

  CLI::App* gone = device.add_subcommand("decommission", "Shut a device out for good");
  gone->add_option("device", options->device, "Device id")->required();
  gone->footer(
      "It stays in lists; only `covey device reenroll` lets it ask again.\n"
      "Example:\n  covey device decommission press-07");
  on(gone, invocation, [&invocation, options] {
    v1::DecommissionDeviceRequest request;
    request.set_name(resource("devices", options->device));
    return call_and_print<v1::DecommissionDeviceResponse>(invocation, request, [](const auto& r) {
      return fmt::format("Decommissioned {}.\n", escaped(id_of(r.device().name())));
    });
  });
}

int trust(const Invocation& invocation, const RegistrationOptions& options) {
  const Result<Bytes> bytes = read_file(options.file, 2 * kAuthorityBytesMax);
  if (!bytes) return invocation.fail(bytes.error());
  v1::AddDeviceAuthorityRequest request;
  request.set_authority(options.name);
  request.set_certificate(std::string(bytes->begin(), bytes->end()));
  return call_and_print<v1::AddDeviceAuthorityResponse>(invocation, request, [](const auto& r) {
    return fmt::format("Trusted {}: {}, SHA-256 {}.\n", escaped(id_of(r.authority().name())),
                       escaped(r.authority().subject()), r.authority().fingerprint());
  });
}

}  // namespace

void add_registration_commands(CLI::App& device, Invocation& invocation) {
  const auto options = std::make_shared<RegistrationOptions>();
  add_import(device, invocation, options);
  add_succession(device, invocation, options);
}

void add_ca_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* ca = app.add_subcommand("ca", "Manufacturers that say who a device is");
  ca->require_subcommand(1);
  const auto options = std::make_shared<RegistrationOptions>();
  CLI::App* add = ca->add_subcommand("trust", "Let devices in that one has made");
  add->add_option("file", options->file, "Certificate of its authority, in PEM")->required();
  add->add_option("--name", options->name, "1 to 32 of a-z 0-9 -")->required();
  add->footer(
      "A device shows a certificate of that authority when it asks to be let in, with its id as "
      "name (CN),\nand is accepted without an operator.\n"
      "Example:\n  covey ca trust acme-devices.pem --name acme");
  on(add, invocation, [&invocation, options] { return trust(invocation, *options); });
  CLI::App* list = ca->add_subcommand("list", "Authorities that are trusted");
  on(list, invocation, [&invocation] {
    return call_and_print<v1::ListDeviceAuthoritiesResponse>(
        invocation, v1::ListDeviceAuthoritiesRequest(), [&](const auto& r) {
          Table table({"AUTHORITY", "ENDS", "SHA-256", "SUBJECT"});
          for (const v1::DeviceAuthority& one : r.authorities()) {
            table.add({id_of(one.name()), utc(one.until_ms()), one.fingerprint().substr(0, 16),
                       one.subject()});
          }
          if (table.empty()) {
            return std::string("None. covey ca trust FILE --name NAME adds one.\n");
          }
          return table.render(invocation.style);
        });
  });
  CLI::App* revoke = ca->add_subcommand("revoke", "Nobody comes in by it any more");
  revoke->add_option("name", options->name, "As `covey ca list` shows it")->required();
  revoke->footer(
      "Devices that it brought stay: covey device list --filter 'authority = acme'.\n"
      "Example:\n  covey ca revoke acme");
  on(revoke, invocation, [&invocation, options] {
    v1::RemoveDeviceAuthorityRequest request;
    request.set_name(resource("authorities", options->name));
    return call_and_print<v1::RemoveDeviceAuthorityResponse>(
        invocation, request, [](const auto&) { return std::string("Revoked.\n"); });
  });
}

}  // namespace covey::cli
