#include "codec/sha256.h"

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <vector>

#include "codec/hex.h"
#include "codec/random_for_test.h"

namespace millstream::codec {
namespace {

std::string Hex(const Sha256Bytes& digest) { return HexEncode(AsView(digest)); }

Sha256Bytes ByOpenSsl(std::string_view bytes) {
  Sha256Bytes digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return digest;
}

TEST(Sha256Test, HashesTheVectorsOfFips180) {
  EXPECT_EQ(Hex(Sha256Digest("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Hex(Sha256Digest("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hex(Sha256Digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256Test, AgreesWithOpenSslHoweverTheMessageIsCut) {
  RandomForTest random;
  for (std::size_t size = 0; size < 400; ++size) {
    const PlacedForTest bytes(random.Bytes(size), random.Below(17));
    Sha256 hash;
    for (std::string_view rest = bytes.view(); !rest.empty();) {
      const std::size_t part = random.Below(rest.size() + 1);
      hash.Update(rest.substr(0, part));
      rest.remove_prefix(part);
    }
    ASSERT_EQ(hash.Finish(), ByOpenSsl(bytes.view())) << size;
  }
}

TEST(Sha256Test, APairHashesAsTwoThatWereHashedAlone) {
  RandomForTest random;
  for (int round = 0; round < 500; ++round) {
    const std::string a = random.Bytes(random.Below(1500));
    const std::string b = random.Bytes(random.Below(1500));
    const std::size_t a_cut = random.Below(a.size() + 1);
    const std::size_t b_cut = random.Below(b.size() + 1);
    const std::string_view a_view = a;
    const std::string_view b_view = b;
    Sha256 hash_a;
    Sha256 hash_b;
    Sha256UpdatePair(hash_a, a_view.substr(0, a_cut), hash_b, b_view.substr(0, b_cut));
    Sha256UpdatePair(hash_a, a_view.substr(a_cut), hash_b, b_view.substr(b_cut));
    ASSERT_EQ(hash_a.Finish(), ByOpenSsl(a));
    ASSERT_EQ(hash_b.Finish(), ByOpenSsl(b));
  }
}

TEST(Sha256Test, ScalarBlocksAgreeWithTheInstructions) {
  RandomForTest random;
  for (std::size_t blocks = 1; blocks < 20; ++blocks) {
    // A padded message, so that OpenSSL can tell the expected state.
    const std::string message = random.Bytes(64 * blocks - 9);
    std::string padded = message + '\x80' + std::string(8, '\0');
    for (int i = 0; i < 8; ++i) {
      padded[padded.size() - 1 - i] = static_cast<char>(uint64_t{message.size() * 8} >> (8 * i));
    }
    std::array<uint32_t, 8> state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    scalar::Sha256Blocks(state, reinterpret_cast<const uint8_t*>(padded.data()), blocks);
    const Sha256Bytes expected = ByOpenSsl(message);
    for (std::size_t i = 0; i < 8; ++i) {
      const uint32_t word = uint32_t{expected[4 * i]} << 24 | uint32_t{expected[4 * i + 1]} << 16 |
                            uint32_t{expected[4 * i + 2]} << 8 | expected[4 * i + 3];
      EXPECT_EQ(state[i], word);
    }
  }
}

TEST(HmacSha256Test, MacsTheVectorsOfRfc4231) {
  EXPECT_EQ(Hex(HmacSha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(Hex(HmacSha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  const HmacSha256Key long_key(std::string(131, '\xaa'));
  EXPECT_EQ(Hex(long_key.Mac("Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(Hex(long_key.Mac("This is a test using a larger than block-size key and a larger than "
                             "block-size data. The key needs to be hashed before being used by "
                             "the HMAC algorithm.")),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

}  // namespace
}  // namespace millstream::codec
