#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "aws/policy.h"
#include "base/result.h"

namespace millstream::aws {

// One access key as the operator configured it.
struct AccessKey {
  std::string access_key_id;
  std::string secret;         // never in errors, logs or the audit trail
  std::string session_token;  // requests must carry exactly this one; empty: none
  std::string account_id = "000000000000";
  std::string principal_arn;                // default: arn:aws:iam::ACCOUNT:root
  std::vector<PolicyDocumentPtr> policies;  // none: everything in the account is allowed
  bool enabled = true;

  // What the ARN says, for policies: the user's name (empty for roles and the root).
  std::string_view user_name() const;
};

// The keys of one moment; immutable, so that requests under way keep theirs.
class CredentialSet {
 public:
  // Rejects duplicate ids, empty ids or secrets, accounts that are not twelve digits. A set without
  // keys rejects every caller.
  static base::Result<std::shared_ptr<const CredentialSet>> Create(std::vector<AccessKey> keys);
  // Open mode: any credentials are accepted, as emulators do. Only ever served on loopback; server/
  // refuses other addresses.
  static std::shared_ptr<const CredentialSet> Open();

  bool open() const { return open_; }
  const AccessKey* Find(std::string_view access_key_id) const;  // null when unknown

  // Differs between any two sets of a process; caches derived from secrets are keyed by it.
  uint64_t version() const { return version_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  std::vector<AccessKey> keys_;
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> by_id_;
  uint64_t version_ = 0;
  bool open_ = false;
};

// Where the current set is. Thread-safe.
class CredentialStore {
 public:
  CredentialStore();  // open mode
  explicit CredentialStore(std::shared_ptr<const CredentialSet> set);

  // Requests that start later see the new set.
  void Replace(std::shared_ptr<const CredentialSet> set);

  // The reference is to a copy of this thread's and holds until its next call: a request costs one
  // atomic load, not a contended reference count.
  const std::shared_ptr<const CredentialSet>& Current() const;

 private:
  const uint64_t id_;  // of this store, never reused: tells thread-local copies apart
  std::atomic<uint64_t> generation_{1};
  mutable std::mutex mutex_;
  std::shared_ptr<const CredentialSet> set_;  // guarded by mutex_
};

// The account that open mode gives a caller: an access key id of twelve digits is the account, as
// LocalStack and moto have it; anything else (or none) is `default_account`.
std::string_view AccountInOpenMode(std::string_view access_key_id,
                                   std::string_view default_account);

}  // namespace millstream::aws
