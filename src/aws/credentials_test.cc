#include "aws/credentials.h"

#include <gtest/gtest.h>

#include <thread>

namespace millstream::aws {
namespace {

AccessKey Key(std::string id, std::string secret = "s") {
  AccessKey key;
  key.access_key_id = std::move(id);
  key.secret = std::move(secret);
  return key;
}

std::string CreateError(std::vector<AccessKey> keys) {
  const auto set = CredentialSet::Create(std::move(keys));
  return set ? "" : set.error().message();
}

TEST(CredentialSetTest, FindsKeysAndNamesTheirPrincipals) {
  AccessKey user = Key("A");
  user.account_id = "111122223333";
  user.principal_arn = "arn:aws:iam::111122223333:user/team/alice";
  const auto set = *CredentialSet::Create({user, Key("B")});
  ASSERT_NE(set->Find("A"), nullptr);
  EXPECT_EQ(set->Find("A")->user_name(), "alice");
  EXPECT_EQ(set->Find("B")->principal_arn, "arn:aws:iam::000000000000:root");
  EXPECT_EQ(set->Find("B")->user_name(), "");
  EXPECT_EQ(set->Find("C"), nullptr);
  EXPECT_FALSE(set->open());
}

TEST(CredentialSetTest, ASetWithoutKeysIsClosed) {
  EXPECT_FALSE((*CredentialSet::Create({}))->open());
  EXPECT_TRUE(CredentialSet::Open()->open());
}

TEST(CredentialSetTest, RejectsWrongConfigurationWithoutShowingSecrets) {
  EXPECT_EQ(CreateError({Key("")}), "access key without an id");
  EXPECT_EQ(CreateError({Key("A", "")}), "access key without a secret: A");
  EXPECT_EQ(CreateError({Key("A"), Key("A")}), "access key configured twice: A");
  EXPECT_NE(CreateError({Key("A/B")}), "");
  AccessKey account = Key("A", "very-secret");
  account.account_id = "12";
  EXPECT_EQ(CreateError({account}), "account of access key A must be twelve digits, found \"12\"");
  AccessKey foreign = Key("A", "very-secret");
  foreign.principal_arn = "arn:aws:iam::111122223333:user/alice";
  EXPECT_EQ(CreateError({foreign}),
            "principal of access key A must be an ARN in account 000000000000, found "
            "\"arn:aws:iam::111122223333:user/alice\"");
}

TEST(CredentialStoreTest, ReplacementIsSeenByEveryThread) {
  CredentialStore store;
  EXPECT_TRUE(store.Current()->open());
  store.Replace(*CredentialSet::Create({Key("A")}));
  EXPECT_NE(store.Current()->Find("A"), nullptr);
  std::thread([&store] { EXPECT_NE(store.Current()->Find("A"), nullptr); }).join();
  CredentialStore other;
  EXPECT_TRUE(other.Current()->open());
  EXPECT_FALSE(store.Current()->open());
}

TEST(CredentialStoreTest, ReplaceWhileReading) {
  CredentialStore store;
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) {
      const auto set = store.Current();
      const AccessKey* key = set->Find("A");
      EXPECT_TRUE(key == nullptr || key->secret == "s");
    }
  });
  for (int i = 0; i < 1000; ++i) store.Replace(*CredentialSet::Create({Key("A")}));
  stop = true;
  reader.join();
}

TEST(CredentialsTest, AccountsInOpenMode) {
  EXPECT_EQ(AccountInOpenMode("123456789012", "000000000000"), "123456789012");
  EXPECT_EQ(AccountInOpenMode("test", "000000000000"), "000000000000");
  EXPECT_EQ(AccountInOpenMode("", "000000000000"), "000000000000");
}

}  // namespace
}  // namespace millstream::aws
