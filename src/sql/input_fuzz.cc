#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codec/json_value.h"
#include "sql/input_schema.h"

// Records of an input become the same rows and errors in each of the ways there are to read them.
namespace millstream::sql {
namespace {

// The rows and errors that a mapper makes, as sorted lines: rows gather, errors do not wait.
class Outcome : public LineFacts {
 public:
  Outcome(const InputSchema& schema, std::size_t columns) : columns_(columns) {
    auto mapper = InputMapper::Create(
        schema, false, [this](const Batch& rows) { Take(rows); },
        [this](std::string, int64_t, std::string_view record) {
          lines_.push_back("error " + std::string(record));
        });
    if (!mapper) __builtin_trap();
    mapper_ = std::move(*mapper);
  }
  std::vector<std::string> Lines(std::string_view text) {
    mapper_->MapLines(text, *this);
    return End();
  }
  std::vector<std::string> Record(std::string_view record) {
    mapper_->Map(record, {});
    return End();
  }

 private:
  const RecordFacts& Next() override { return facts_; }
  std::vector<std::string> End() {
    mapper_->Flush();
    std::sort(lines_.begin(), lines_.end());
    return std::move(lines_);
  }
  void Take(const Batch& rows) {
    for (int i = 0; i < rows.rows; ++i) {
      std::string& line = lines_.emplace_back("row");
      for (std::size_t c = 0; c < columns_; ++c) {
        const Vector& v = *rows.columns[c];
        line += '|';
        if (v.valid()[i] == 0) {
          line += "NULL";
        } else if (v.physical() == Physical::kString) {
          line += v.strings()[i];
        } else if (v.physical() == Physical::kDouble) {
          line += std::to_string(v.doubles()[i]);
        } else {
          line += std::to_string(v.ints()[i]);
        }
      }
    }
  }

  std::size_t columns_;
  std::vector<std::string> lines_;
  RecordFacts facts_;
  std::unique_ptr<InputMapper> mapper_;
};

InputSchema SchemaOf(uint8_t choice) {
  InputSchema schema;
  const bool nested = (choice & 1) != 0;
  schema.columns = {{"T", "VARCHAR(8)", "$.t"}, {"I", "INTEGER", nested ? "$.x.y" : "$.i"},
                    {"D", "DOUBLE", "$.d"},     {"B", "BOOLEAN", nested ? "$.x.z.w" : "$.b"},
                    {"N", "TIMESTAMP", "$.n"},  {"C", "DECIMAL(9,3)", "$.c"}};
  if ((choice & 2) != 0) schema.row_path = "$.x";
  if ((choice & 4) != 0) schema.columns[0].mapping = "$.list[0:].t";
  if ((choice & 8) != 0) schema.format = InputSchema::Format::kCsv;
  return schema;
}

void Check(uint8_t choice, std::string_view text) {
  InputSchema schema = SchemaOf(choice);
  const std::size_t columns = schema.columns.size();
  Outcome together(schema, columns);
  const std::vector<std::string> got = together.Lines(text);
  if (schema.format == InputSchema::Format::kCsv) return;

  Outcome records(schema, columns);
  // A column of an element turns every quick way off.
  schema.columns.push_back({"OFF", "INTEGER", "$.none[7]"});
  Outcome tree(schema, columns);
  std::vector<std::string> expected;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view record = text.substr(0, end);
    const bool ended = end < text.size();
    text.remove_prefix(std::min(end + 1, text.size()));
    if (record.empty() || (record == "\r" && ended)) continue;
    const std::vector<std::string> rows = records.Record(record);
    expected.insert(expected.end(), rows.begin(), rows.end());
    // Nested values that nobody wants are looked at for brackets and texts only.
    if (rows != tree.Record(record) && codec::JsonDocument::Parse(record)) __builtin_trap();
  }
  std::sort(expected.begin(), expected.end());
  if (got != expected) __builtin_trap();
}

}  // namespace
}  // namespace millstream::sql

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  millstream::sql::Check(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
