#include "sql/output_format.h"

#include <charconv>
#include <cmath>

#include "codec/base64.h"
#include "codec/json_writer.h"
#include "sql/cast.h"
#include "sql/datetime.h"

namespace millstream::sql {

namespace {

void AppendJsonText(std::string_view text, std::string& out) {
  if (!codec::IsPlainInJson(text)) return codec::AppendJsonString(text, out);
  out += '"';
  out += text;
  out += '"';
}

template <typename Number>
void AppendNumber(Number number, std::string& out) {
  char text[40];
  auto end = std::to_chars(text, text + sizeof text, number);
  out.append(text, static_cast<std::size_t>(end.ptr - text));
}

void AppendJsonDouble(double d, std::string& out) {
  // Amounts: at most two digits behind the point and fifteen in all. Such a decimal is the only one of
  // so few digits that reads back as this double, hence the shortest.
  if (std::fabs(d) < 1e13) {
    auto hundredths = static_cast<int64_t>(d * 100 + (d < 0 ? -0.5 : 0.5));
    if (static_cast<double>(hundredths) / 100 == d && (hundredths != 0 || !std::signbit(d))) {
      auto size = static_cast<uint64_t>(hundredths < 0 ? -hundredths : hundredths);
      if (hundredths < 0) out += '-';
      AppendNumber(size / 100, out);
      if (size % 100 == 0) return;
      out += '.';
      out += static_cast<char>('0' + size % 100 / 10);
      if (size % 10 != 0) out += static_cast<char>('0' + size % 10);
      return;
    }
  }
  AppendNumber(d, out);
}

void AppendJsonValue(const Type& type, const Vector& v, int row, std::string& out) {
  if (v.valid()[row] == 0) {
    out += "null";
    return;
  }
  switch (type.kind) {
    case Kind::kBoolean: out += v.ints()[row] != 0 ? "true" : "false"; break;
    case Kind::kTinyint:
    case Kind::kSmallint:
    case Kind::kInteger:
    case Kind::kBigint: AppendNumber(v.ints()[row], out); break;
    case Kind::kTimestamp:
      out += '"';
      AppendTimestamp(v.ints()[row], out);
      out += '"';
      break;
    case Kind::kDate:
    case Kind::kTime:
      out += '"';
      AppendText(type, v, row, out);
      out += '"';
      break;
    case Kind::kReal:
    case Kind::kDouble: {
      double d = v.doubles()[row];
      if (!std::isfinite(d)) {
        out += "null";
      } else if (type.kind == Kind::kReal) {
        AppendNumber(static_cast<float>(d), out);
      } else {
        AppendJsonDouble(d, out);
      }
      break;
    }
    case Kind::kChar:
    case Kind::kVarchar: AppendJsonText(v.strings()[row], out); break;
    case Kind::kBinary:
    case Kind::kVarbinary:
      out += '"';
      out += codec::Base64Encode(v.strings()[row]);
      out += '"';
      break;
    default: AppendText(type, v, row, out); break;
  }
}

}  // namespace

void AppendJsonRow(const std::vector<PlanColumn>& columns, const Batch& rows, int row,
                   std::string& out) {
  out += '{';
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (c > 0) out += ',';
    AppendJsonText(columns[c].name, out);
    out += ':';
    AppendJsonValue(columns[c].type, *rows.columns[c], row, out);
  }
  out += '}';
}

JsonRowWriter::JsonRowWriter(const std::vector<PlanColumn>& columns) {
  for (const PlanColumn& column : columns) {
    std::string prefix = columns_.empty() ? "{" : ",";
    AppendJsonText(column.name, prefix);
    columns_.push_back({prefix + ":", column.type});
  }
}

void JsonRowWriter::Append(const Batch& rows, int row, std::string& out) const {
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    out += columns_[c].prefix;
    AppendJsonValue(columns_[c].type, *rows.columns[c], row, out);
  }
  out += columns_.empty() ? "{}" : "}";
}

void AppendCsvRow(const std::vector<PlanColumn>& columns, const Batch& rows, int row,
                  std::string_view delimiter, std::string& out) {
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (c > 0) out += delimiter;
    const Vector& v = *rows.columns[c];
    if (v.valid()[row] == 0) continue;
    std::string text;
    if (columns[c].type.kind == Kind::kTimestamp) {
      AppendTimestamp(v.ints()[row], text);
    } else {
      AppendText(columns[c].type, v, row, text);
    }
    bool quote = text.find_first_of("\"\r\n") != std::string::npos ||
                 (!delimiter.empty() && text.find(delimiter) != std::string::npos);
    if (!quote) {
      out += text;
      continue;
    }
    out += '"';
    for (char ch : text) {
      if (ch == '"') out += '"';
      out += ch;
    }
    out += '"';
  }
}

}  // namespace millstream::sql
