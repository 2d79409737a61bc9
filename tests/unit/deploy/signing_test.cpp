// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "deploy/signing/key_file.hpp"
#include "deploy/signing/keys.hpp"
#include "deploy/signing/sha256.hpp"

namespace covey {
namespace {

// FIPS 180-4 examples.
TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 hash;
  EXPECT_EQ(hash.update(as_bytes("a")).update({}).update(as_bytes("bc")).finish(),
            sha256(as_bytes("abc")));
  EXPECT_EQ(hash.finish(), sha256({}));
}

// RFC 4231 case 2.
TEST(Sha256, Hmac) {
  const Digest mac = hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"));
  EXPECT_EQ(to_hex(mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmac_sha256_16(as_bytes("Jefe"), as_bytes("what do ya want for nothing?")),
            truncate16(mac));
  EXPECT_EQ(to_hex(hmac_sha256({}, {})),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
  EXPECT_TRUE(equal_constant_time(mac.bytes, mac.bytes));
  EXPECT_FALSE(equal_constant_time(mac.bytes, truncate16(mac)));
}

class EachAlgorithm : public testing::TestWithParam<SignatureAlgorithm> {};
INSTANTIATE_TEST_SUITE_P(Keys, EachAlgorithm,
                         testing::Values(SignatureAlgorithm::kEs256, SignatureAlgorithm::kEd25519),
                         [](const auto& test) { return std::string(to_string(test.param)); });

TEST_P(EachAlgorithm, SignsAndVerifies) {
  const PrivateKey key = *PrivateKey::generate(GetParam());
  const Digest digest = sha256(as_bytes("manifest"));
  RawSignature signature = key.sign(digest);
  EXPECT_TRUE(key.public_key().verify(digest, signature));
  EXPECT_EQ(key.public_key().verify(sha256({}), signature).error().reason, "SIGNATURE_INVALID");
  signature[10] ^= 1;
  EXPECT_EQ(key.public_key().verify(digest, signature).error().reason, "SIGNATURE_INVALID");
  EXPECT_FALSE(key.public_key().verify(digest, RawSignature{}));
  RawSignature ones;
  ones.fill(0xFF);
  EXPECT_FALSE(key.public_key().verify(digest, ones));
}

TEST_P(EachAlgorithm, SurvivesPemAndRaw) {
  const PrivateKey key = *PrivateKey::generate(GetParam());
  const PrivateKey again = *PrivateKey::from_pem(key.to_pem());
  EXPECT_TRUE(key.to_pem().starts_with("-----BEGIN PRIVATE KEY-----"));
  EXPECT_EQ(again.public_key().id(), key.public_key().id());
  const Digest digest = sha256(as_bytes("manifest"));
  const PublicKey from_pem = *PublicKey::from_pem(key.public_key().to_pem());
  const PublicKey from_raw = *PublicKey::from_raw(GetParam(), key.public_key().raw());
  EXPECT_TRUE(from_pem.verify(digest, again.sign(digest)));
  EXPECT_TRUE(from_raw.verify(digest, again.sign(digest)));
  const Digest hashed = sha256(key.public_key().raw());
  EXPECT_TRUE(std::equal(from_raw.id().begin(), from_raw.id().end(), hashed.bytes.begin()));
  // A public key never carries the private part along.
  EXPECT_FALSE(PrivateKey::from_pem(key.public_key().to_pem()));
}

// RFC 8032 section 7.1, TEST 1's key; the signature is over 32 bytes of our own.
TEST(Keys, Ed25519PublicKeyFromSeed) {
  const std::string pem =
      "-----BEGIN PRIVATE KEY-----\n"
      "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
      "-----END PRIVATE KEY-----\n";
  const Result<PrivateKey> key = PrivateKey::from_pem(pem);
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(to_hex(key->public_key().raw()),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
}

TEST(Keys, RefusesWhatItDoesNotUse) {
  EXPECT_EQ(PublicKey::from_pem("nonsense").error().reason, "BAD_KEY");
  EXPECT_EQ(PrivateKey::from_pem("").error().reason, "BAD_KEY");
  EXPECT_EQ(PublicKey::from_pem(std::string(20'000, 'a')).error().reason, "BAD_KEY");
  EXPECT_EQ(PublicKey::from_raw(SignatureAlgorithm::kEs256, Bytes(65, 4)).error().reason,
            "BAD_KEY");
  EXPECT_EQ(PublicKey::from_raw(SignatureAlgorithm::kEd25519, Bytes(31, 4)).error().reason,
            "BAD_KEY");
  // P-384.
  const std::string p384 =
      "-----BEGIN PUBLIC KEY-----\n"
      "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEgRU4FCkdoHZESHUOtflNJbGlLi78e5CZ\n"
      "1RQYlLZ+92xG2GIhMvU+TaQ3HdgKdIgFuptXnsWW+GLvss0IyUnPztn6cWftcwvz\n"
      "8e/n4rMvvK/yzt4QiNxyip2SDH4aJgSR\n"
      "-----END PUBLIC KEY-----\n";
  const Result<PublicKey> refused = PublicKey::from_pem(p384);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "ALGORITHM_UNSUPPORTED") << refused.error().message;
  EXPECT_EQ(parse_signature_algorithm("rsa").error().reason, "ALGORITHM_UNSUPPORTED");
  EXPECT_EQ(*parse_signature_algorithm("es256"), SignatureAlgorithm::kEs256);
}

TEST(Keys, ReadsForeignSignatures) {
  // SEQUENCE { INTEGER 1, INTEGER 0x80 }: short integers are padded to 32 bytes.
  const Bytes der = {0x30, 7, 2, 1, 1, 2, 2, 0, 0x80};
  const RawSignature raw = *parse_signature(SignatureAlgorithm::kEs256, der);
  EXPECT_EQ(raw[31], 1);
  EXPECT_EQ(raw[63], 0x80);
  EXPECT_EQ(*parse_signature(SignatureAlgorithm::kEs256, raw), raw);
  EXPECT_EQ(*parse_signature(SignatureAlgorithm::kEd25519, raw), raw);
  EXPECT_FALSE(parse_signature(SignatureAlgorithm::kEd25519, der));
  EXPECT_FALSE(parse_signature(SignatureAlgorithm::kEs256, Bytes(63, 1)));
  EXPECT_FALSE(parse_signature(SignatureAlgorithm::kEs256, Bytes{0x30, 6, 2, 1, 0x81, 2, 1, 1}));
  Bytes trailing = der;
  trailing.push_back(0);
  EXPECT_FALSE(parse_signature(SignatureAlgorithm::kEs256, trailing));
}

TEST(TrustStore, NamesWhyNoSignatureIsGood) {
  const PrivateKey author = *PrivateKey::generate(SignatureAlgorithm::kEs256);
  const PrivateKey stranger = *PrivateKey::generate(SignatureAlgorithm::kEd25519);
  const Digest digest = sha256(as_bytes("manifest"));
  TrustStore store;
  ASSERT_TRUE(store.add(author.public_key()));
  ASSERT_TRUE(store.add(author.public_key()));
  EXPECT_EQ(store.keys().size(), 1U);

  const Signature good = sign(author, digest);
  const Signature unknown = sign(stranger, digest);
  const Signature wrong = sign(author, sha256({}));
  Signature newer = good;
  newer.algorithm = 9;
  const auto reason = [&](std::vector<Signature> signatures) {
    return store.verify(digest, signatures).error().reason;
  };
  EXPECT_EQ(*store.verify(digest, std::vector{good}), author.public_key().id());
  EXPECT_TRUE(store.verify(digest, std::vector{newer, unknown, wrong, good}));
  EXPECT_EQ(reason({unknown, wrong}), "SIGNATURE_INVALID");
  EXPECT_EQ(reason({newer, unknown}), "KEY_UNKNOWN");
  EXPECT_EQ(reason({newer}), "ALGORITHM_UNSUPPORTED");
  EXPECT_EQ(reason({}), "SIGNATURE_INVALID");
  EXPECT_TRUE(store.remove(author.public_key().id()));
  EXPECT_EQ(reason({good}), "KEY_UNKNOWN");
}

class KeyFile : public testing::Test {
 protected:
  KeyFile() {
    std::string pattern = (std::filesystem::temp_directory_path() / "covey-keys-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~KeyFile() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(KeyFile, PrivateKeysAreForTheirOwnerOnly) {
  const PrivateKey key = *PrivateKey::generate(SignatureAlgorithm::kEs256);
  const auto path = folder_ / "author.pem";
  const Status written = write_private_key(path, key);
  ASSERT_TRUE(written) << written.error().message;
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(read_private_key(path)->public_key().id(), key.public_key().id());
  EXPECT_EQ(write_private_key(path, key).error().reason, "KEY_FILE_EXISTS");
  std::filesystem::permissions(path, std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  EXPECT_EQ(read_private_key(path).error().reason, "KEY_FILE_TOO_OPEN");
}

TEST_F(KeyFile, NamesTheFileInErrors) {
  EXPECT_EQ(read_public_key(folder_ / "none.pem").error().reason, "KEY_FILE_UNREADABLE");
  const auto path = folder_ / "bad.pem";
  std::ofstream(path) << "hello";
  const Error error = read_public_key(path).error();
  EXPECT_EQ(error.reason, "BAD_KEY");
  EXPECT_NE(error.message.find("bad.pem"), std::string::npos);
}

// The README's way to sign with a key that covey never sees: openssl itself.
TEST_F(KeyFile, TakesASignatureMadeByOpenssl) {
  const auto run = [&](const std::string& command) {
    return std::system(
        ("cd '" + folder_.string() + "' && " + command + " >/dev/null 2>&1").c_str());
  };
  if (run("openssl version") != 0) GTEST_SKIP() << "no openssl program";
  ASSERT_EQ(run("openssl ecparam -name prime256v1 -genkey -noout -out sec1.pem"), 0);
  ASSERT_EQ(run("openssl ec -in sec1.pem -pubout -out public.pem"), 0);
  ASSERT_EQ(run("printf manifest > m.bin && openssl dgst -sha256 -sign sec1.pem -out m.sig m.bin"),
            0);
  std::ifstream file(folder_ / "m.sig", std::ios::binary);
  const Bytes der{std::istreambuf_iterator<char>(file), {}};
  const Result<PublicKey> key = read_public_key(folder_ / "public.pem");
  ASSERT_TRUE(key) << key.error().message;
  const RawSignature raw = *parse_signature(SignatureAlgorithm::kEs256, der);
  EXPECT_TRUE(key->verify(sha256(as_bytes("manifest")), raw));
  std::filesystem::permissions(folder_ / "sec1.pem", std::filesystem::perms::owner_read);
  EXPECT_TRUE(read_private_key(folder_ / "sec1.pem"));

  ASSERT_EQ(run("openssl genpkey -algorithm ed25519 -out ed.pem"), 0);
  ASSERT_EQ(run("openssl dgst -sha256 -binary -out m.dgst m.bin && "
                "openssl pkeyutl -sign -rawin -inkey ed.pem -in m.dgst -out ed.sig && "
                "openssl pkey -in ed.pem -pubout -out edpub.pem"),
            0);
  std::ifstream ed(folder_ / "ed.sig", std::ios::binary);
  const Bytes bytes{std::istreambuf_iterator<char>(ed), {}};
  EXPECT_TRUE(read_public_key(folder_ / "edpub.pem")
                  ->verify(sha256(as_bytes("manifest")),
                           *parse_signature(SignatureAlgorithm::kEd25519, bytes)));
}

}  // namespace
}  // namespace covey
