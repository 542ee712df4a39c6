#include "http/http1_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace millstream::http {
namespace {

Http1Head head;  // large

HeadParse Parse(std::string_view text) { return ParseHttp1Head(text, head); }

TEST(Http1ParserTest, ParsesTheHeadOfAnSdk) {
  std::string text =
      "POST /a?b=c HTTP/1.1\r\nHost: kinesis.eu-west-1.amazonaws.com\r\n"
      "X-Amz-Target: Kinesis_20131202.PutRecord\r\nContent-Type:  application/x-amz-json-1.1 \t\r\n"
      "Content-Length: 12\r\nConnection: Keep-Alive\r\nExpect: 100-continue\r\n\r\nrest";
  HeadParse parse = Parse(text);
  ASSERT_EQ(parse.state, ParseState::kComplete);
  EXPECT_EQ(parse.consumed, text.size() - 4);
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/a?b=c");
  EXPECT_EQ(head.authority, "kinesis.eu-west-1.amazonaws.com");
  ASSERT_EQ(head.header_count, 6u);
  EXPECT_EQ(head.headers[2].value, "application/x-amz-json-1.1");
  EXPECT_EQ(head.content_length, 12u);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_TRUE(head.expect_continue);
  EXPECT_FALSE(head.chunked);
}

TEST(Http1ParserTest, EveryPrefixIsIncomplete) {
  std::string text = "PUT http://h:1/x HTTP/1.1\r\nHost: h:1\r\nTransfer-Encoding: Chunked\r\n\r\n";
  for (std::size_t i = 0; i < text.size(); ++i) {
    EXPECT_EQ(Parse(text.substr(0, i)).state, ParseState::kIncomplete) << i;
  }
  ASSERT_EQ(Parse(text).state, ParseState::kComplete);
  EXPECT_TRUE(head.chunked);
  EXPECT_EQ(head.target, "/x");
  EXPECT_EQ(head.authority, "h:1");
}

TEST(Http1ParserTest, KeepAliveFollowsTheVersion) {
  Parse("GET / HTTP/1.0\r\n\r\n");
  EXPECT_FALSE(head.keep_alive);
  Parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(head.keep_alive);
  Parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: foo, Close\r\n\r\n");
  EXPECT_FALSE(head.keep_alive);
}

struct BadHead {
  const char* name;
  std::string_view text;
  int status;
};

#define LITERAL(text) std::string_view(text, sizeof(text) - 1)
const BadHead kBadHeads[] = {
    {"repeated length",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
    {"conflicting length",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\n", 400},
    {"list of lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\n", 400},
    {"signed length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n", 400},
    {"negative length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400},
    {"hexadecimal length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x1\r\n\r\n", 400},
    {"empty length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", 400},
    {"overflowing length",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551617\r\n\r\n", 400},
    {"both framings",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"both framings, other order",
     "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400},
    {"two transfer-encodings",
     "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
     "chunked\r\n\r\n",
     400},
    {"chunked twice", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
     501},
    {"identity", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n", 501},
    {"gzip", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {"obfuscated coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", 501},
    {"quoted coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", 501},
    {"coding in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"blank before colon", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 1\r\n\r\n", 400},
    {"tab in name", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding\t: chunked\r\n\r\n", 400},
    {"folded line", "POST / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", 400},
    {"folded by tab", "POST / HTTP/1.1\r\nHost: h\r\nA: b\r\n\tc\r\n\r\n", 400},
    {"blank line start", "POST / HTTP/1.1\r\n Host: h\r\n\r\n", 400},
    {"bare LF", "POST / HTTP/1.1\nHost: h\n\n", 400},
    {"bare LF in headers", "POST / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n", 400},
    {"bare LF at the end", "POST / HTTP/1.1\r\nHost: h\r\n\n", 400},
    {"bare CR", "POST / HTTP/1.1\r\nHost: h\r\nA: b\rContent-Length: 1\r\n\r\n", 400},
    {"CR CR LF", "POST / HTTP/1.1\r\nHost: h\r\nA: b\r\r\n\r\n", 400},
    {"NUL in value", LITERAL("POST / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n"), 400},
    {"NUL in name", LITERAL("POST / HTTP/1.1\r\nHost: h\r\nA\0: b\r\n\r\n"), 400},
    {"DEL in value", "POST / HTTP/1.1\r\nHost: h\r\nA: b\x7f\r\n\r\n", 400},
    {"no colon", "POST / HTTP/1.1\r\nHost: h\r\nabc\r\n\r\n", 400},
    {"empty name", "POST / HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n", 400},
    {"UTF-8 in name", "POST / HTTP/1.1\r\nHost: h\r\n\xc3\xa4: b\r\n\r\n", 400},
    {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
    {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
    {"host with path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"no version", "GET /\r\n\r\n", 400},
    {"lower-case version", "GET / http/1.1\r\nHost: h\r\n\r\n", 400},
    {"HTTP/2 without preface", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
    {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505},
    {"two blanks", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"blank in target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"tab in request line", "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"tab in target", "GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"trailing blank", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 505},
    {"relative target", "GET a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"asterisk", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"bad method", "G\"T / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"CONNECT", "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 501},
    {"expectation", "POST / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n", 417},
    {"TLS", "\x16\x03\x01\x02", 400},
    {"garbage", "\x01\x02\x03\r\n\r\n", 400},
};

TEST(Http1ParserTest, RefusesWhatTwoPartiesCouldReadDifferently) {
  for (const BadHead& bad : kBadHeads) {
    HeadParse parse = Parse(bad.text);
    EXPECT_EQ(parse.state, ParseState::kError) << bad.name;
    EXPECT_EQ(parse.error.status, bad.status) << bad.name;
    EXPECT_STRNE(parse.error.text, "") << bad.name;
  }
}

TEST(Http1ParserTest, RefusesTooManyHeaders) {
  std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (std::size_t i = 0; i < kHeadersMax; ++i) text += "a: b\r\n";
  HeadParse parse = Parse(text + "\r\n");
  EXPECT_EQ(parse.state, ParseState::kError);
  EXPECT_EQ(parse.error.status, 431);
}

// Decodes in pieces of `step` bytes; "error <status>", "incomplete" or the body and what is left.
std::string Decode(std::string_view text, std::size_t step, std::size_t max = 1000,
                   std::size_t overhead = 100) {
  ChunkDecoder decoder(max, overhead);
  base::Buffer body;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t consumed = 0;
    ParseState state = decoder.Decode(text.substr(at, step), body, consumed);
    at += consumed;
    if (state == ParseState::kError) return "error " + std::to_string(decoder.error().status);
    if (state == ParseState::kComplete) {
      return std::string(body.view()) + "|" + std::string(text.substr(at));
    }
  }
  return "incomplete";
}

TEST(ChunkDecoderTest, DecodesTheSameInPiecesOfAnySize) {
  std::string text = "5\r\nhello\r\n0A;name=\"v\"\r\n, world!!!\r\n000\r\nA: b\r\nC:\r\n\r\nGET /";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    EXPECT_EQ(Decode(text, step), "hello, world!!!|GET /") << step;
  }
}

TEST(ChunkDecoderTest, RefusesMalformedChunks) {
  for (std::string_view bad : {"\r\n",
                               "g\r\n",
                               "-1\r\n",
                               "+1\r\n",
                               " 1\r\na",
                               "1 \r\na",
                               "0x1\r\na",
                               "1\na\r\n",
                               "1\rX",
                               "1\r\nab\r\n",
                               "1\r\na\n",
                               "1\r\na\r\r",
                               "0\r\n\n",
                               "0\r\n a: b\r\n\r\n",
                               "0\r\na b: c\r\n\r\n",
                               "0\r\na: b\n\r\n",
                               "0\r\n:\r\n\r\n",
                               "1;a\nb\r\na\r\n0\r\n\r\n",
                               "1;\x01\r\na",
                               "1111111111111111\r\n",
                               "1;a\x7f\r\n"}) {
    for (std::size_t step : {1u, 100u}) {
      EXPECT_TRUE(Decode(bad, step).starts_with("error 400")) << bad << " " << Decode(bad, step);
    }
  }
}

TEST(ChunkDecoderTest, KeepsItsLimits) {
  EXPECT_EQ(Decode("5\r\nhello\r\n0\r\n\r\n", 100, 5), "hello|");
  EXPECT_EQ(Decode("3\r\nhel\r\n3\r\nlo!\r\n0\r\n\r\n", 100, 5), "error 413");
  EXPECT_EQ(Decode("fffffffffffffff\r\n", 100), "error 413");
  EXPECT_EQ(Decode("1;" + std::string(101, 'x') + "\r\n", 7), "error 431");
  EXPECT_EQ(Decode("0\r\na: " + std::string(101, 'x') + "\r\n\r\n", 7), "error 431");
}

}  // namespace
}  // namespace millstream::http
