// SPDX-License-Identifier: Apache-2.0
#include "deploy/root/root.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>

#include "covey/device/v1/device.pb.h"
#include "deploy/signing/sha256.hpp"

namespace covey {
namespace {

class Roots : public testing::Test {
 protected:
  // The first `roots` keys are the root's, the rest authors.
  Root root_of(uint32_t version, std::initializer_list<int> roots, uint32_t threshold,
               std::initializer_list<int> authors = {6, 7}, uint32_t author_threshold = 1) const {
    Root root{.version = version,
              .root_threshold = threshold,
              .author_threshold = author_threshold,
              .keys = {}};
    for (const int i : roots) root.keys.push_back({key(i).public_key(), true, false});
    for (const int i : authors) root.keys.push_back({key(i).public_key(), false, true});
    return root;
  }
  SignedRoot signed_by(const Root& root, std::initializer_list<int> signers) const {
    SignedRoot document{*encode(root), {}};
    for (const int i : signers) {
      document.signatures.push_back(sign(key(i), signed_digest(document.root)));
    }
    return document;
  }
  static const PrivateKey& key(int i) {
    static const std::vector<PrivateKey> keys = [] {
      std::vector<PrivateKey> made;
      for (int n = 0; n < 9; ++n) {
        made.push_back(*PrivateKey::generate(n % 3 == 2 ? SignatureAlgorithm::kEd25519
                                                        : SignatureAlgorithm::kEs256));
      }
      return made;
    }();
    return keys[static_cast<size_t>(i)];
  }
  static std::string refusal(const Root* current, const SignedRoot& next) {
    const Result<Root> opened = open_root(current, next);
    return opened ? "" : opened.error().reason;
  }
};

TEST_F(Roots, SurviveTheWire) {
  const Root root = root_of(7, {0, 1, 2, 3}, 3, {4, 5, 6, 7}, 2);
  const Bytes bytes = *encode(root);
  EXPECT_LE(bytes.size(), kRootBytesMax) << "the largest there is";
  const Root again = *decode_root(bytes);
  EXPECT_EQ(again.version, 7U);
  EXPECT_EQ(again.root_threshold, 3U);
  EXPECT_EQ(again.author_threshold, 2U);
  EXPECT_EQ(again.roots(), 4U);
  EXPECT_EQ(again.authors(), 4U);
  EXPECT_EQ(*encode(again), bytes);
  const SignedRoot document = signed_by(root, {0, 1, 2, 3, 4});
  const Bytes envelope = *encode(document);
  EXPECT_LE(envelope.size(), kSignedRootBytesMax);
  EXPECT_EQ(*decode_signed_root(envelope), document);

  device::v1::SignedRoot theirs;
  ASSERT_TRUE(theirs.ParseFromArray(envelope.data(), static_cast<int>(envelope.size())));
  EXPECT_EQ(theirs.signatures_size(), 5);
  device::v1::Root inner;
  ASSERT_TRUE(inner.ParseFromString(theirs.root()));
  EXPECT_EQ(inner.keys_size(), 8);
  EXPECT_EQ(inner.keys(0).roles(), 1U);
  EXPECT_EQ(inner.SerializeAsString(), theirs.root()) << "the same bytes as protobuf writes";
}

TEST_F(Roots, FollowWithTheSignaturesOfBoth) {
  const Root one = root_of(1, {0, 1, 2}, 2);
  EXPECT_EQ(refusal(nullptr, signed_by(one, {0, 2})), "");
  EXPECT_EQ(refusal(nullptr, signed_by(one, {0})), "ROOT_NOT_SIGNED");
  // Key 2 is lost: it is replaced by 3, with what is left.
  const Root two = root_of(2, {0, 1, 3}, 2);
  EXPECT_EQ(refusal(&one, signed_by(two, {0, 1})), "");
  EXPECT_EQ(refusal(&one, signed_by(two, {0, 3})), "ROOT_NOT_SIGNED") << "one of version 1 only";
  EXPECT_EQ(refusal(&one, signed_by(two, {0, 2})), "ROOT_NOT_SIGNED") << "one of version 2 only";
  EXPECT_EQ(refusal(&one, signed_by(two, {0, 2, 3})), "") << "two of each";
  // All keys anew.
  const Root other = root_of(2, {3, 4, 5}, 2);
  EXPECT_EQ(refusal(&one, signed_by(other, {3, 4, 5})), "ROOT_NOT_SIGNED");
  EXPECT_EQ(refusal(&one, signed_by(other, {0, 1, 3, 4})), "");
}

// Each is tried against version 3 with keys 0, 1, 2 and threshold 2.
TEST_F(Roots, HostileDocuments) {
  const Root current = root_of(3, {0, 1, 2}, 2);
  const SignedRoot good = signed_by(root_of(4, {0, 1, 2}, 2), {0, 1});
  ASSERT_EQ(refusal(&current, good), "");
  const auto edited = [&](const std::function<void(SignedRoot&)>& edit) {
    SignedRoot document = good;
    edit(document);
    return document;
  };
  // As protobuf, to say what encode() refuses to.
  const auto forged = [&](const std::function<void(device::v1::Root&)>& edit) {
    device::v1::Root root;
    EXPECT_TRUE(root.ParseFromArray(good.root.data(), static_cast<int>(good.root.size())));
    edit(root);
    const std::string text = root.SerializeAsString();
    SignedRoot document{Bytes(text.begin(), text.end()), {}};
    for (const int i : {0, 1, 2}) {
      document.signatures.push_back(sign(key(i), signed_digest(document.root)));
    }
    return document;
  };
  struct Case {
    const char* what;
    SignedRoot document;
    const char* reason;
  };
  const std::vector<Case> cases{
      {"no signature", edited([](SignedRoot& d) { d.signatures.clear(); }), "ROOT_NOT_SIGNED"},
      {"one key counted twice", edited([](SignedRoot& d) { d.signatures[1] = d.signatures[0]; }),
       "ROOT_NOT_SIGNED"},
      {"the same key with two signatures",
       edited([&](SignedRoot& d) { d.signatures[1] = sign(key(0), signed_digest(d.root)); }),
       "ROOT_NOT_SIGNED"},
      {"a bit of a signature", edited([](SignedRoot& d) { d.signatures[0].bytes[5] ^= 1; }),
       "ROOT_NOT_SIGNED"},
      {"a bit of the document", edited([](SignedRoot& d) { d.root[40] ^= 1; }), nullptr},
      {"a signature under another key's id",
       edited([](SignedRoot& d) { d.signatures[1].key_id = d.signatures[0].key_id; }),
       "ROOT_NOT_SIGNED"},
      {"an algorithm that is not the key's",
       edited([](SignedRoot& d) { d.signatures[0].algorithm = 2; }), "ROOT_NOT_SIGNED"},
      {"signed as a manifest is", edited([&](SignedRoot& d) {
         for (int i = 0; i < 2; ++i) d.signatures[i] = sign(key(i), sha256(d.root));
       }),
       "ROOT_NOT_SIGNED"},
      {"signed by authors", signed_by(root_of(4, {0, 1, 2}, 2), {6, 7}), "ROOT_NOT_SIGNED"},
      {"signed by strangers", signed_by(root_of(4, {4, 5}, 2), {4, 5}), "ROOT_NOT_SIGNED"},
      {"a lower version", signed_by(root_of(2, {0, 1, 2}, 2), {0, 1}), "ROOT_STALE"},
      {"the same version, other content", signed_by(root_of(3, {0, 1}, 1), {0, 1}), "ROOT_STALE"},
      {"a version is skipped", signed_by(root_of(5, {0, 1, 2}, 2), {0, 1}), "ROOT_SKIPS"},
      {"the last version there is", forged([](auto& r) { r.set_version(UINT32_MAX); }),
       "ROOT_SKIPS"},
      {"version 0", forged([](auto& r) { r.set_version(0); }), "ROOT_MALFORMED"},
      {"threshold 0", forged([](auto& r) { r.set_root_threshold(0); }), "ROOT_MALFORMED"},
      {"a threshold above the keys", forged([](auto& r) { r.set_root_threshold(4); }),
       "ROOT_MALFORMED"},
      {"authors' threshold 0", forged([](auto& r) { r.set_author_threshold(0); }),
       "ROOT_MALFORMED"},
      {"authors' threshold above the authors", forged([](auto& r) { r.set_author_threshold(3); }),
       "ROOT_MALFORMED"},
      {"a key twice", forged([](auto& r) { *r.mutable_keys(1) = r.keys(0); }), "ROOT_MALFORMED"},
      {"no key", forged([](auto& r) { r.clear_keys(); }), "ROOT_MALFORMED"},
      {"a key without a role", forged([](auto& r) { r.mutable_keys(0)->set_roles(0); }),
       "ROOT_MALFORMED"},
      {"a role of the future", forged([](auto& r) { r.mutable_keys(0)->set_roles(5); }),
       "ROOT_MALFORMED"},
      {"no point of the curve",
       forged([](auto& r) { r.mutable_keys(0)->mutable_key()->back() ^= 1; }), "ROOT_MALFORMED"},
      {"a key cut short", forged([](auto& r) { r.mutable_keys(0)->mutable_key()->pop_back(); }),
       "ROOT_MALFORMED"},
      {"an unknown algorithm", forged([](auto& r) { r.mutable_keys(0)->set_algorithm(9); }),
       "ROOT_MALFORMED"},
      {"an unknown format", forged([](auto& r) { r.set_format(2); }), "ROOT_MALFORMED"},
      {"nine keys", forged([](auto& r) {
         while (r.keys_size() < 9) *r.add_keys() = r.keys(0);
       }),
       "ROOT_MALFORMED"},
      {"too long", edited([](SignedRoot& d) { d.root.resize(kRootBytesMax + 1, 0x7f); }),
       "ROOT_MALFORMED"},
      {"nothing", edited([](SignedRoot& d) { d.root.clear(); }), "ROOT_MALFORMED"},
  };
  for (const Case& c : cases) {
    const std::string reason = refusal(&current, c.document);
    EXPECT_NE(reason, "") << c.what;
    if (c.reason != nullptr) {
      EXPECT_EQ(reason, c.reason) << c.what;
    }
  }
}

TEST_F(Roots, EveryCutIsRefused) {
  const Root current = root_of(3, {0, 1, 2}, 2);
  const Bytes whole = *encode(signed_by(root_of(4, {0, 1, 2}, 2), {0, 1}));
  for (size_t size = 0; size < whole.size(); ++size) {
    const Result<SignedRoot> cut = decode_signed_root(ByteView(whole).first(size));
    EXPECT_TRUE(!cut || !open_root(&current, *cut)) << size;
  }
  Bytes longer = whole;
  longer.resize(kSignedRootBytesMax + 1);
  EXPECT_EQ(decode_signed_root(longer).error().reason, "ROOT_MALFORMED");
}

TEST_F(Roots, AuthorsSignAtTheirThreshold) {
  const TrustStore one = authors_of(root_of(1, {0, 1}, 1, {6, 7}, 1));
  const TrustStore two = authors_of(root_of(1, {0, 1}, 1, {6, 7}, 2));
  const Digest digest = sha256(as_bytes("manifest"));
  const Signature six = sign(key(6), digest);
  const Signature seven = sign(key(7), digest);
  const std::vector<Signature> both{six, seven};
  const std::vector<Signature> twice{six, six, sign(key(6), digest)};
  EXPECT_TRUE(one.verify(digest, std::vector{six}));
  EXPECT_TRUE(two.verify(digest, both));
  EXPECT_EQ(two.verify(digest, std::vector{six}).error().reason, "SIGNATURES_TOO_FEW");
  EXPECT_EQ(two.verify(digest, twice).error().reason, "SIGNATURES_TOO_FEW");
  EXPECT_EQ(
      two.verify(digest, std::vector{sign(key(0), digest), sign(key(1), digest)}).error().reason,
      "KEY_UNKNOWN")
      << "keys of the root sign no releases";
}

}  // namespace
}  // namespace covey
