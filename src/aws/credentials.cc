#include "aws/credentials.h"

#include "aws/arn.h"

namespace millstream::aws {
namespace {

std::atomic<uint64_t> next_version{1};
std::atomic<uint64_t> next_store_id{1};

tl::unexpected<base::Error> Invalid(std::string message) {
  return base::Fail(base::Code::kInvalidArgument, std::move(message));
}

}  // namespace

std::string_view AccessKey::user_name() const {
  ArnView arn;
  constexpr std::string_view kUser = "user/";
  if (!ParseArn(principal_arn, arn) || arn.resource.substr(0, kUser.size()) != kUser) return {};
  return arn.resource.substr(arn.resource.rfind('/') + 1);
}

base::Result<std::shared_ptr<const CredentialSet>> CredentialSet::Create(
    std::vector<AccessKey> keys) {
  auto set = std::make_shared<CredentialSet>();
  for (AccessKey& key : keys) {
    if (key.access_key_id.empty()) return Invalid("access key without an id");
    if (key.access_key_id.find_first_of("/, =\r\n") != std::string::npos) {
      return Invalid("access key id with a character that signatures cannot carry: " +
                     key.access_key_id);
    }
    if (key.secret.empty()) return Invalid("access key without a secret: " + key.access_key_id);
    if (!IsAccountId(key.account_id)) {
      return Invalid("account of access key " + key.access_key_id +
                     " must be twelve digits, found \"" + key.account_id + "\"");
    }
    if (key.principal_arn.empty()) {
      key.principal_arn = "arn:aws:iam::" + key.account_id + ":root";
    } else if (AccountOfPrincipal(key.principal_arn) != key.account_id ||
               IsAccountId(key.principal_arn)) {
      return Invalid("principal of access key " + key.access_key_id +
                     " must be an ARN in account " + key.account_id + ", found \"" +
                     key.principal_arn + "\"");
    }
    if (!set->by_id_.emplace(key.access_key_id, set->keys_.size()).second) {
      return Invalid("access key configured twice: " + key.access_key_id);
    }
    set->keys_.push_back(std::move(key));
  }
  set->version_ = next_version.fetch_add(1);
  return std::shared_ptr<const CredentialSet>(std::move(set));
}

std::shared_ptr<const CredentialSet> CredentialSet::Open() {
  auto set = std::make_shared<CredentialSet>();
  set->version_ = next_version.fetch_add(1);
  set->open_ = true;
  return set;
}

const AccessKey* CredentialSet::Find(std::string_view access_key_id) const {
  const auto found = by_id_.find(access_key_id);
  return found == by_id_.end() ? nullptr : &keys_[found->second];
}

CredentialStore::CredentialStore() : CredentialStore(CredentialSet::Open()) {}

CredentialStore::CredentialStore(std::shared_ptr<const CredentialSet> set)
    : id_(next_store_id.fetch_add(1)), set_(std::move(set)) {}

void CredentialStore::Replace(std::shared_ptr<const CredentialSet> set) {
  const std::lock_guard lock(mutex_);
  set_ = std::move(set);
  generation_.fetch_add(1, std::memory_order_release);
}

const std::shared_ptr<const CredentialSet>& CredentialStore::Current() const {
  struct Copy {
    uint64_t store_id = 0;
    uint64_t generation = 0;
    std::shared_ptr<const CredentialSet> set;
  };
  thread_local Copy copy;
  if (copy.store_id != id_ || copy.generation != generation_.load(std::memory_order_acquire)) {
    const std::lock_guard lock(mutex_);
    copy = {id_, generation_.load(std::memory_order_relaxed), set_};
  }
  return copy.set;
}

std::string_view AccountInOpenMode(std::string_view access_key_id,
                                   std::string_view default_account) {
  return IsAccountId(access_key_id) ? access_key_id : default_account;
}

}  // namespace millstream::aws
