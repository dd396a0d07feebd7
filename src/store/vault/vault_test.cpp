#include "store/vault/vault.h"

#include <gtest/gtest.h>
#include <openssl/hmac.h>
#include <sys/stat.h>

#include <fstream>

#include "base/temporary_directory.h"
#include "base/text.h"
#include "store/vault/key_hash.h"
#include "store/vault/key_ring.h"

namespace llmgw::store {
namespace {

base::Secret key_of(char c) {
  return base::Secret(std::string(Vault::kKeyBytes, c));
}
Vault vault_of(std::initializer_list<base::Secret> keys) {
  return *Vault::create(std::span(keys.begin(), keys.size()));
}

TEST(Vault, OpensWhatItSealedAndNothingElse) {
  const Vault vault = vault_of({key_of('a')});
  for (const std::string& plain : {std::string(), std::string("sk-1"), std::string(20'000, 'x')}) {
    const std::string sealed = vault.seal("conn_1 api_key", plain);
    EXPECT_EQ(vault.open("conn_1 api_key", sealed)->reveal(), plain);
    EXPECT_FALSE(vault.open("conn_2 api_key", sealed)) << "moved to another object";
    EXPECT_FALSE(vault.open("conn_1 access_token", sealed)) << "moved to another field";
    EXPECT_NE(vault.seal("conn_1 api_key", plain), sealed) << "the same nonce twice";
  }
  const std::string sealed = vault.seal("p", "secret");
  EXPECT_EQ(sealed.find("secret"), std::string::npos);
  for (size_t at = 0; at < sealed.size(); ++at) {
    std::string changed = sealed;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    const auto opened = vault.open("p", changed);
    // The last character of base64 may have bits that mean nothing.
    if (opened) EXPECT_EQ(opened->reveal(), "secret");
    EXPECT_TRUE(!opened || at + 1 == sealed.size()) << at;
    EXPECT_FALSE(vault.open("p", sealed.substr(0, at)));
  }
}

TEST(Vault, OldKeysOpenAndDoNotSeal) {
  const Vault before = vault_of({key_of('a')});
  const Vault during = vault_of({key_of('b'), key_of('a')});
  const Vault after = vault_of({key_of('b')});
  const std::string old = before.seal("p", "x");
  EXPECT_EQ(during.open("p", old)->reveal(), "x");
  EXPECT_TRUE(during.outdated(old));
  const std::string renewed = during.seal("p", "x");
  EXPECT_FALSE(during.outdated(renewed));
  EXPECT_EQ(after.open("p", renewed)->reveal(), "x");
  EXPECT_EQ(after.open("p", old).error().code, base::ErrorCode::not_found);
  EXPECT_FALSE(Vault::create({}));
  const base::Secret shorter("short");
  EXPECT_FALSE(Vault::create({&shorter, 1}));
}

TEST(KeyRing, ReadsBothSpellings) {
  const std::string hex(64, '6');
  const auto keys = parse_keys(hex + ", \n" + "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=");
  ASSERT_TRUE(keys);
  EXPECT_EQ(keys->at(0).reveal(), std::string(32, 'f'));
  EXPECT_EQ(keys->at(1).reveal(), std::string(32, 'a'));
  EXPECT_EQ(parse_keys(write_keys(*keys))->at(1).reveal(), keys->at(1).reveal());
  for (const auto* bad : {"", "  ", "abc", "YWFh", "zz"}) EXPECT_FALSE(parse_keys(bad)) << bad;
}

TEST(KeyRing, MakesAPrivateFileOnce) {
  const base::TemporaryDirectory directory;
  const std::string path = directory.file(std::string(kKeyRingFile));
  EXPECT_FALSE(read_key_file(path, false));
  const auto made = read_key_file(path, true);
  ASSERT_TRUE(made);
  EXPECT_EQ(read_key_file(path, true)->at(0).reveal(), made->at(0).reveal());
  struct stat status{};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  ASSERT_EQ(chmod(path.c_str(), 0640), 0);
  EXPECT_EQ(read_key_file(path, false).error().code, base::ErrorCode::permission);
  ASSERT_TRUE(write_key_file(path, {key_of('n'), made->at(0)}));
  EXPECT_EQ(read_key_file(path, false)->size(), 2u);
}

TEST(KeyHash, IsHmacSha256) {
  const base::Secret secret = key_of('s');
  const KeyHasher hasher(secret);
  std::string key;
  for (size_t length = 0; length < 200; ++length) {
    std::array<unsigned char, 32> wanted;
    unsigned int size = 0;
    HMAC(EVP_sha256(), secret.reveal().data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(key.data()), key.size(), wanted.data(), &size);
    const KeyHash hash = hasher.hash(key);
    EXPECT_TRUE(std::equal(hash.begin(), hash.end(), wanted.begin())) << length;
    EXPECT_EQ(key_hash_from_hex(to_hex(hash)), hash);
    key += static_cast<char>('!' + length % 90);
  }
  EXPECT_FALSE(key_hash_from_hex("00"));
}

TEST(MadeKeys, HaveAChecksum) {
  const base::Secret made = make_key(kVirtualKeyPrefix);
  const std::string key(made.reveal());
  EXPECT_TRUE(is_made_key(key, kVirtualKeyPrefix));
  EXPECT_FALSE(is_made_key(key, kAdminKeyPrefix));
  for (size_t at = 0; at < key.size(); ++at) {
    std::string mistyped = key;
    mistyped[at] = mistyped[at] == 'x' ? 'y' : 'x';
    EXPECT_FALSE(is_made_key(mistyped, kVirtualKeyPrefix)) << at;
  }
  EXPECT_NE(make_key(kVirtualKeyPrefix).reveal(), key);
  EXPECT_EQ(key_hint(key).substr(0, 7), "lgw_sk_");
  EXPECT_EQ(key_hint(key).size(), 18u);
  EXPECT_EQ(key_hint("short-key"), "");
}

}  // namespace
}  // namespace llmgw::store
