#include "codec/md5.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <string>
#include <vector>

#include "codec/hex.h"
#include "codec/random_for_test.h"

namespace millstream::codec {
namespace {

std::string Hex(const Md5Bytes& digest) {
  return HexEncode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

Md5Bytes ByOpenSsl(std::string_view bytes) {
  Md5Bytes digest;
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_md5(), nullptr);
  return digest;
}

TEST(Md5Test, HashesTheVectorsOfRfc1321) {
  EXPECT_EQ(Hex(Md5("")), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(Hex(Md5("abc")), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(Hex(Md5("message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(Hex(Md5("123456789012345678901234567890123456789012345678901234567890123456789012345678"
                    "90")),
            "57edf4a22be3c955ac49da2e2107b67a");
}

TEST(Md5Test, AgreesWithOpenSslAtAllSizes) {
  RandomForTest random;
  for (std::size_t size = 0; size < 300; ++size) {
    const PlacedForTest bytes(random.Bytes(size), random.Below(9));
    ASSERT_EQ(Md5(bytes.view()), ByOpenSsl(bytes.view())) << size;
  }
}

TEST(Md5Test, LanesAgreeWithSingleHashesForAnyMixOfSizes) {
  RandomForTest random;
  for (int round = 0; round < 500; ++round) {
    const std::size_t longest = random.Below(2) == 0 ? 56 : 130;
    std::vector<std::string> texts(random.Below(70));
    for (std::string& text : texts) text = random.Bytes(random.Below(longest));
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    std::vector<Md5Bytes> digests(views.size());
    Md5Many(views, digests);
    std::vector<Uint128> keys(views.size());
    Md5HashKeys(views, keys);
    for (std::size_t i = 0; i < views.size(); ++i) {
      ASSERT_EQ(digests[i], Md5(views[i])) << i << " of " << views.size();
      ASSERT_TRUE(keys[i] == Md5HashKey(views[i])) << i << " of " << views.size();
    }
  }
}

TEST(Md5Test, TheHashKeyIsTheDigestAsABigEndianNumber) {
  EXPECT_TRUE(Md5HashKey("") == MakeUint128(0xd41d8cd98f00b204, 0xe9800998ecf8427e));
}

}  // namespace
}  // namespace millstream::codec
