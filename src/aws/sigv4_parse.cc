#include <algorithm>

#include "aws/sigv4.h"
#include "codec/percent.h"

namespace millstream::aws {
namespace {

// Longer credentials, lists or signatures are nobody's; the rest of the head is bounded by http.
constexpr std::size_t kCredentialBytesMax = 1024;

void SplitCredential(SignatureParts& parts) {
  std::string_view rest = parts.credential;
  if (rest.size() > kCredentialBytesMax || std::count(rest.begin(), rest.end(), '/') != 4) return;
  for (std::string_view* element :
       {&parts.access_key_id, &parts.date, &parts.region, &parts.service, &parts.terminator}) {
    const auto slash = std::min(rest.find('/'), rest.size());
    *element = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
  }
}

void TakeHeaderParameter(std::string_view word, SignatureParts& parts) {
  const auto equals = word.find('=');
  if (equals == std::string_view::npos) return;
  const std::string_view name = word.substr(0, equals), value = word.substr(equals + 1);
  if (name == "Credential") {
    parts.credential = value;
  } else if (name == "SignedHeaders") {
    parts.signed_headers = value;
  } else if (name == "Signature") {
    parts.signature = value;
  }
}

// "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...": parameters stand apart by
// commas or blanks, in any order. Two plain searches: find_first_of() looks its set up anew for
// each character, which was half of the verifier's time.
void ParseHeader(std::string_view header, SignatureParts& parts) {
  bool first = true;
  while (!header.empty()) {
    const auto blank = std::min(header.find(' '), header.size());
    std::string_view words = header.substr(0, blank);
    header.remove_prefix(std::min(blank + 1, header.size()));
    while (!words.empty()) {
      const auto comma = std::min(words.find(','), words.size());
      const std::string_view word = words.substr(0, comma);
      words.remove_prefix(std::min(comma + 1, words.size()));
      if (first) {
        parts.algorithm = word;
        first = false;
      } else {
        TakeHeaderParameter(word, parts);
      }
    }
  }
}

struct QueryField {
  std::string_view name;
  std::string_view SignatureParts::*field;
};
constexpr QueryField kQueryFields[] = {
    {"X-Amz-Algorithm", &SignatureParts::algorithm},
    {"X-Amz-Credential", &SignatureParts::credential},
    {"X-Amz-Signature", &SignatureParts::signature},
    {"X-Amz-SignedHeaders", &SignatureParts::signed_headers},
    {"X-Amz-Date", &SignatureParts::timestamp},
    {"X-Amz-Expires", &SignatureParts::expires},
    {"X-Amz-Security-Token", &SignatureParts::security_token},
    {"X-Amz-Content-Sha256", &SignatureParts::content_sha256},
};

// Calls visit(name, value, has_equals) for each parameter.
template <typename Visit>
void EachParameter(std::string_view query, Visit visit) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const std::string_view parameter = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const auto equals = std::min(parameter.find('='), parameter.size());
    visit(parameter.substr(0, equals),
          equals == parameter.size() ? std::string_view() : parameter.substr(equals + 1));
  }
}

bool HasAlgorithmParameter(std::string_view query) {
  bool found = false;
  EachParameter(query, [&](std::string_view name, std::string_view) {
    found = found || name == "X-Amz-Algorithm";
  });
  return found;
}

void ParseQuery(std::string_view query, SignatureParts& parts) {
  parts.query_storage.clear();
  parts.query_storage.reserve(query.size());  // decoding never grows: no later reallocation
  EachParameter(query, [&](std::string_view name, std::string_view value) {
    for (const QueryField& known : kQueryFields) {
      if (name != known.name) continue;
      const std::size_t start = parts.query_storage.size();
      std::string decoded;
      if (!codec::PercentDecode(value, true, decoded)) decoded = value;
      parts.query_storage += decoded;
      parts.*known.field = std::string_view(parts.query_storage).substr(start);
    }
  });
}

}  // namespace

void ParseSignature(const http::Request& request, const RequestHeaders& headers,
                    SignatureParts& parts) {
  const std::string_view query = request.query();
  const bool by_query = !query.empty() && HasAlgorithmParameter(query);
  const bool by_header = !headers.authorization.empty();
  using Source = SignatureParts::Source;
  parts.source = by_header ? (by_query ? Source::kBoth : Source::kHeader)
                           : (by_query ? Source::kQuery : Source::kNone);
  if (by_header) {
    ParseHeader(headers.authorization, parts);
    parts.timestamp = headers.amz_date.empty() ? headers.date : headers.amz_date;
    parts.security_token = headers.amz_security_token;
    parts.content_sha256 = headers.amz_content_sha256;
  } else if (by_query) {
    ParseQuery(query, parts);
    if (parts.security_token.empty()) parts.security_token = headers.amz_security_token;
    if (parts.content_sha256.empty()) parts.content_sha256 = headers.amz_content_sha256;
  }
  SplitCredential(parts);
}

std::optional<ServiceError> CheckComplete(const RequestHeaders& headers,
                                          const SignatureParts& parts) {
  using Source = SignatureParts::Source;
  std::string missing;
  switch (parts.source) {
    case Source::kBoth:
      return InvalidSignatureException(
          "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP "
          "header.");
    case Source::kNone:
      return MissingAuthenticationTokenException();
    case Source::kHeader: {
      const auto require = [&missing](std::string_view name, std::string_view value) {
        if (!value.empty()) return;
        missing.append("Authorization header requires '").append(name).append("' parameter. ");
      };
      require("Credential", parts.credential);
      require("Signature", parts.signature);
      require("SignedHeaders", parts.signed_headers);
      if (parts.timestamp.empty()) {
        missing +=
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' "
            "header. ";
      }
      if (missing.empty()) return std::nullopt;
      missing.append("Authorization=").append(headers.authorization);
      break;
    }
    case Source::kQuery:
      for (const QueryField& known : kQueryFields) {
        if (known.field == &SignatureParts::expires) break;  // it and what follows may be absent
        if (!(parts.*known.field).empty()) continue;
        missing.append("AWS query-string parameters must include '").append(known.name);
        missing += "'. ";
      }
      if (missing.empty()) return std::nullopt;
      missing += "Re-examine the query-string parameters.";
      break;
  }
  return IncompleteSignatureException(std::move(missing));
}

}  // namespace millstream::aws
