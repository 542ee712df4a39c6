#include "sql/output_format.h"

#include <charconv>
#include <cmath>

#include "codec/base64.h"
#include "codec/json_writer.h"
#include "sql/cast.h"
#include "sql/datetime.h"

namespace millstream::sql {

namespace {

void AppendOutputTime(int64_t ms, std::string& out) {
  std::string text = FormatTimestamp(ms);
  std::size_t point = text.find('.');
  text.resize(point + 4, '0');
  out += text;
}

}  // namespace

void AppendJsonRow(const std::vector<PlanColumn>& columns, const Batch& rows, int row,
                   std::string& out) {
  out += '{';
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (c > 0) out += ',';
    codec::AppendJsonString(columns[c].name, out);
    out += ':';
    const Vector& v = *rows.columns[c];
    if (v.valid()[row] == 0) {
      out += "null";
      continue;
    }
    switch (columns[c].type.kind) {
      case Kind::kBoolean: out += v.ints()[row] != 0 ? "true" : "false"; break;
      case Kind::kTimestamp:
        out += '"';
        AppendOutputTime(v.ints()[row], out);
        out += '"';
        break;
      case Kind::kDate:
      case Kind::kTime:
        out += '"';
        AppendText(columns[c].type, v, row, out);
        out += '"';
        break;
      case Kind::kReal:
      case Kind::kDouble: {
        double d = v.doubles()[row];
        if (!std::isfinite(d)) {
          out += "null";
          break;
        }
        char text[40];
        auto end = columns[c].type.kind == Kind::kReal
                       ? std::to_chars(text, text + sizeof text, static_cast<float>(d))
                       : std::to_chars(text, text + sizeof text, d);
        out.append(text, static_cast<std::size_t>(end.ptr - text));
        break;
      }
      case Kind::kChar:
      case Kind::kVarchar: codec::AppendJsonString(v.strings()[row], out); break;
      case Kind::kBinary:
      case Kind::kVarbinary:
        out += '"';
        out += codec::Base64Encode(v.strings()[row]);
        out += '"';
        break;
      default: AppendText(columns[c].type, v, row, out); break;
    }
  }
  out += '}';
}

void AppendCsvRow(const std::vector<PlanColumn>& columns, const Batch& rows, int row,
                  std::string_view delimiter, std::string& out) {
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (c > 0) out += delimiter;
    const Vector& v = *rows.columns[c];
    if (v.valid()[row] == 0) continue;
    std::string text;
    if (columns[c].type.kind == Kind::kTimestamp) {
      AppendOutputTime(v.ints()[row], text);
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
