#include "sql/parser.h"

#include <gtest/gtest.h>

namespace millstream::sql {
namespace {

std::string ErrorOf(std::string_view text) {
  auto result = Parse(text);
  return result ? "parsed" : result.error().message();
}

TEST(ParserTest, ReadsTheStatementsOfAnApplication) {
  auto result = Parse(R"(
    -- a comment; with a semicolon
    CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (ticker VARCHAR(4), price REAL NOT NULL,
        cnt BIGINT) DESCRIPTION 'it''s';
    /* another */ // and one more
    CREATE OR REPLACE PUMP "STREAM_PUMP" STARTED AS INSERT INTO "DESTINATION_SQL_STREAM"
      SELECT STREAM s."TICKER", AVG(price) OVER w, COUNT(*) c
      FROM "SOURCE_SQL_STREAM_001" AS s
      WHERE s.price > -1.5e0 AND NOT ticker LIKE 'A\_%' ESCAPE '\'
      WINDOW w AS (PARTITION BY ticker RANGE INTERVAL '59:59.999' MINUTE TO SECOND(3) PRECEDING)
  )");
  ASSERT_TRUE(result) << result.error().message();
  ASSERT_EQ(result->size(), 2u);
  EXPECT_EQ((*result)[0].columns.size(), 3u);
  EXPECT_EQ((*result)[0].columns[0].name.text, "TICKER");
  EXPECT_TRUE((*result)[0].columns[1].not_null);
  EXPECT_EQ((*result)[0].description, "it's");
  const ast::Query& query = *(*result)[1].insert.query;
  EXPECT_TRUE(query.stream);
  ASSERT_EQ(query.items.size(), 3u);
  EXPECT_EQ(query.items[2].alias->text, "C");
  ASSERT_EQ(query.windows.size(), 1u);
  EXPECT_EQ(query.windows[0].window->lower.offset->value.i, 3'599'999);
}

TEST(ParserTest, ReadsEveryClause) {
  for (std::string_view text : {
           "CREATE PUMP p AS INSERT INTO s (a, b) SELECT * FROM t",
           "CREATE PUMP p AS INSERT INTO s SELECT STREAM x.*, 1 FROM t AS x WINDOWED BY STAGGER "
           "(PARTITION BY FLOOR(e TO MINUTE), k RANGE INTERVAL '1' MINUTE) HAVING COUNT(*) > 1",
           "CREATE PUMP p AS INSERT INTO s SELECT STREAM a FROM TABLE (RANDOM_CUT_FOREST(CURSOR "
           "(SELECT STREAM * FROM t), 100, 256)) AS r ORDER BY FLOOR(r.ROWTIME TO SECOND), a DESC",
           "CREATE PUMP p AS INSERT INTO s SELECT STREAM ts AS ROWTIME, a FROM t "
           "ORDER BY ts WITHIN INTERVAL '5' SECOND",
           "CREATE PUMP p AS INSERT INTO s SELECT STREAM o.a FROM t OVER (RANGE INTERVAL '1' "
           "MINUTE PRECEDING) AS o LEFT OUTER JOIN u AS v ON o.k = v.k, w",
           "CREATE PUMP p AS INSERT INTO s SELECT STREAM a FROM t UNION ALL SELECT STREAM a FROM u",
           "CREATE PUMP p AS INSERT INTO s VALUES (1, 'a'), (2, 'b')",
           "CREATE PUMP p AS INSERT INTO s SELECT STREAM FLOOR((ROWTIME - TIMESTAMP "
           "'1970-01-01 00:00:00') SECOND / 10 TO SECOND) FROM t GROUP BY a, STEP(t.ROWTIME BY "
           "INTERVAL '10' SECOND)",
           "CREATE PUMP p AS INSERT INTO s SELECT STREAM SUBSTRING(a FROM 2 FOR 3), TRIM(LEADING "
           "'x' FROM a), OVERLAY(a PLACING 'b' FROM 1 FOR 2), POSITION('a' IN b), EXTRACT(HOUR "
           "FROM ROWTIME), CAST(a AS DECIMAL(5,2)), CASE a WHEN 1 THEN 2 ELSE 3 END FROM t",
           "CREATE PUMP p AS INSERT INTO s SELECT STREAM LAG(a, 1, 0) IGNORE NULLS OVER w, "
           "NTH_VALUE(a, 2) FROM LAST OVER (ROWS 10 PRECEDING) FROM t WINDOW w AS (ROWS BETWEEN 3 "
           "PRECEDING AND CURRENT ROW ALLOW PARTIAL)",
           "CREATE PUMP p AS INSERT INTO s SELECT STREAM a FROM t WHERE (a, b) OVERLAPS (c, d) AND "
           "PERIOD(a, b) STRICTLY PRECEDES PERIOD(c, d) AND a IS NOT DISTINCT FROM b",
           "CREATE FUNCTION f(x INTEGER, y INTEGER) RETURNS INTEGER LANGUAGE SQL CONTAINS SQL "
           "RETURNS NULL ON NULL INPUT RETURN x + y",
           "CREATE VIEW v AS WITH q AS (SELECT * FROM t) SELECT a FROM q",
           "CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)",
           "ALTER PUMP p STOP; DROP STREAM s;",
       }) {
    EXPECT_EQ(ErrorOf(text), "parsed") << text;
  }
}

TEST(ParserTest, SaysWhereWhatAndWhatInstead) {
  EXPECT_EQ(ErrorOf("CRATE STREAM s (a INT)"),
            "line 1, column 1: expected a statement: CREATE STREAM, CREATE PUMP, CREATE FUNCTION or "
            "CREATE VIEW but found CRATE; did you mean CREATE?");
  EXPECT_EQ(ErrorOf("CREATE STREAM s (\n  a STRING)"),
            "line 2, column 5: STRING is not a data type here; write VARCHAR(n), e.g. VARCHAR(64)");
  EXPECT_EQ(ErrorOf("CREATE STREAM s (timestamp TIMESTAMP)"),
            "line 1, column 18: expected a column name but found timestamp; timestamp is a reserved "
            "word; to use it as a name write it in double quotes: \"timestamp\"");
  EXPECT_EQ(ErrorOf("CREATE PUMP p AS INSERT INTO s SELECT STREAM a FORM t"),
            "line 1, column 53: expected ',' or FROM but found t");
  EXPECT_EQ(ErrorOf("CREATE PUMP p AS INSERT INTO s SELECT STREAM a, FROM t"),
            "line 1, column 49: expected an expression but found FROM; there is a comma too many "
            "before FROM");
  EXPECT_EQ(ErrorOf("CREATE PUMP p AS INSERT INTO s SELECT STREAM a FROM t GROUP BY STEP(x BY "
                    "INTERVAL 10 SECOND)"),
            "line 1, column 83: expected a text but found 10; the value of an interval stands in "
            "quotes: INTERVAL '10' MINUTE");
  EXPECT_EQ(ErrorOf("CREATE STREAM s (a VARCHAR(4) 'x"),
            "line 1, column 31: this text does not end; close it with '");
}

TEST(ParserTest, RefusesHostileNesting) {
  std::string text = "CREATE PUMP p AS INSERT INTO s SELECT ";
  text += std::string(100'000, '(');
  EXPECT_NE(ErrorOf(text).find("nest at most"), std::string::npos);
  std::string minus = "CREATE PUMP p AS INSERT INTO s SELECT ";
  for (int i = 0; i < 100'000; ++i) minus += "- ";
  EXPECT_NE(ErrorOf(minus).find("nest at most"), std::string::npos);
  std::string sum = "CREATE PUMP p AS INSERT INTO s SELECT 1";
  for (int i = 0; i < 100'000; ++i) sum += "+1";
  EXPECT_NE(ErrorOf(sum).find("more than 1500 operators"), std::string::npos);
  std::string any = "CREATE PUMP p AS INSERT INTO s SELECT 1 FROM t WHERE a";
  for (int i = 0; i < 100'000; ++i) any += " OR a";
  EXPECT_EQ(ErrorOf(any), "parsed");
}

}  // namespace
}  // namespace millstream::sql
