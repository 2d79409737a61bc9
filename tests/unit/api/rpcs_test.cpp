// SPDX-License-Identifier: Apache-2.0
// The table of RPCs is complete: the services of proto/covey/v1 say so.
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "covey/v1/admin.pb.h"
#include "gateway/api/handlers.hpp"
#include "gateway/api/rpcs.hpp"

namespace covey::test {
namespace {

using google::protobuf::ServiceDescriptor;

// Every service of the package, from the files that any of the handlers' messages come from.
std::vector<const ServiceDescriptor*> services() {
  std::vector<const ServiceDescriptor*> found;
  for (const auto* file :
       {v1::GetDeviceRequest::descriptor()->file(), v1::GetReleaseRequest::descriptor()->file(),
        v1::GetRolloutRequest::descriptor()->file(), v1::GetDriftRequest::descriptor()->file(),
        v1::GetSiteRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) found.push_back(file->service(i));
  }
  return found;
}

TEST(Rpcs, EachHasOneRow) {
  std::set<std::string> listed;
  for (const api::ServiceRules& rules : api::rpc_rules()) {
    for (const api::RpcRule& rule : rules.rpcs) {
      EXPECT_TRUE(listed.insert(std::string(rules.service) + "." + std::string(rule.method)).second)
          << rule.method << " has two rows";
    }
  }
  std::set<std::string> exist;
  for (const ServiceDescriptor* service : services()) {
    for (int i = 0; i < service->method_count(); ++i) exist.insert(service->method(i)->full_name());
  }
  EXPECT_EQ(listed, exist);
  EXPECT_GT(exist.size(), 30U);
}

// As the standard methods are called (AIP-131, AIP-132): whoever only looks needs no more than a
// viewer's rights, whoever changes something does.
TEST(Rpcs, WhatChangesSomethingNeedsMoreThanAViewer) {
  for (const api::ServiceRules& rules : api::rpc_rules()) {
    for (const api::RpcRule& rule : rules.rpcs) {
      const auto begins = [&](const char* word) { return rule.method.starts_with(word); };
      const bool reads = begins("Get") || begins("List") || begins("Watch") || begins("Plan");
      EXPECT_EQ(rule.mutating, !reads) << rule.method;
      // Who else has a token is not for everybody.
      const bool private_list = rule.method == "ListTokens";
      EXPECT_EQ(rule.role == api::Role::kViewer, reads && !private_list) << rule.method;
    }
  }
}

}  // namespace
}  // namespace covey::test
