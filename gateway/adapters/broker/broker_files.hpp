// SPDX-License-Identifier: Apache-2.0
// What the embedded broker reads: its configuration, password files and access lists, all in
// DATA/broker and readable by the owner alone.
//
// Thread safety: plain functions; one writer (the supervisor).
#pragma once

#include <map>
#include <string>

#include "core/id.hpp"
#include "core/result.hpp"
#include "gateway/adapters/broker/broker.hpp"

namespace covey::broker {

struct BrokerFiles {
  std::string folder;         // DATA/broker, absolute
  std::string configuration;  // what orphans are recognised by
  std::string log;
  std::string enroll_token;
};
// Makes the folder (0700). Errors: BROKER_FILES.
Result<BrokerFiles> prepare_files(const std::string& data_dir);

// The token of that file; `make`: it is made where there is none, and kept afterwards. Errors:
// BROKER_FILES.
Result<std::string> enroll_token(const BrokerFiles& files, bool make);

// Everything except passwords of devices and claims. Errors: BROKER_FILES.
Status write_configuration(const BrokerFiles& files, const BrokerOptions& options,
                           const BrokerEndpoints& endpoints);
// `hashes`: device -> "$7$...". Errors: BROKER_FILES.
Status write_device_passwords(const BrokerFiles& files,
                              const std::map<DeviceId, std::string>& hashes);
// Of user `enroll`, and of claims. Errors: BROKER_FILES.
Status write_enroll_passwords(const BrokerFiles& files, const std::string& enroll_hash,
                              const std::map<ClaimName, std::string>& hashes);
// Of certificates; PEM. Errors: BROKER_FILES.
Status write_revocations(const BrokerFiles& files, const std::string& list);

}  // namespace covey::broker
