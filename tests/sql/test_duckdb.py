"""Where the semantics agree, the same query over the same rows in DuckDB.

Times are unique, since DuckDB's RANGE takes in all rows of an equal time and ours those that came first. Seeds are in
the names of the tests.
"""
import json
import math
import random

import pytest

duckdb = pytest.importorskip("duckdb")

START_MS = 1_767_261_600_000  # 2026-01-01T10:00:00Z
COLUMNS = "at_ms BIGINT, k VARCHAR(8), v INTEGER, d DOUBLE, side INTEGER"


def make_rows(seed):
    source = random.Random(seed)
    at, rows = START_MS, []
    for _ in range(1500):
        at += source.randint(1, 700)
        rows.append({"at_ms": at, "k": f"k{source.randint(0, 7)}", "v": source.choice([None, *range(-20, 20)]),
                     "d": round(source.uniform(-5, 5), 3), "side": source.randint(0, 1)})
    return rows


@pytest.fixture(params=range(1, 6), ids=lambda seed: f"seed{seed}")
def compare(request, run_millstream, tmp_path):
    rows = make_rows(request.param)
    (tmp_path / "rows.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    database = duckdb.connect()
    database.execute("CREATE TABLE s (at_ms BIGINT, k VARCHAR, v INTEGER, d DOUBLE, side INTEGER)")
    database.executemany("INSERT INTO s VALUES (?, ?, ?, ?, ?)", [list(row.values()) for row in rows])

    def run(code, query):
        (tmp_path / "app.sql").write_text(code)
        done = run_millstream("sql", tmp_path / "app.sql", "--input", tmp_path / "rows.json", "--columns", COLUMNS,
                              "--rowtime", "$.at_ms", "--output", "D", check=True)
        ours = [list(json.loads(line)["row"].values()) for line in done.stdout.splitlines()]
        theirs = [list(row) for row in database.execute(query).fetchall()]
        assert len(ours) == len(theirs) > 0
        key = lambda row: [(value is not None, value) for value in row if not isinstance(value, float)]
        for a, b in zip(sorted(ours, key=key), sorted(theirs, key=key), strict=True):
            for x, y in zip(a, b, strict=True):
                same = math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-9) if isinstance(y, float) else x == y
                assert same, (a, b)
    return run


def test_tumbling_groups(compare):
    compare("""
        CREATE STREAM D (w BIGINT, k VARCHAR(8), n BIGINT, nv BIGINT, s BIGINT, lo INTEGER, hi INTEGER,
                         av DOUBLE, dev DOUBLE, var DOUBLE, dist BIGINT, med DOUBLE);
        CREATE PUMP P AS INSERT INTO D SELECT STREAM UNIX_TIMESTAMP(STEP(s.ROWTIME BY INTERVAL '20' SECOND)), "K",
          COUNT(*), COUNT(v), SUM(v), MIN(v), MAX(v), AVG(d), STDDEV_SAMP(d), VAR_POP(d), COUNT(DISTINCT v),
          PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY d)
        FROM SOURCE_SQL_STREAM_001 s GROUP BY STEP(s.ROWTIME BY INTERVAL '20' SECOND), k HAVING COUNT(*) > 1""",
            """SELECT at_ms // 20000 * 20000, k, COUNT(*), COUNT(v), SUM(v)::BIGINT, MIN(v), MAX(v), AVG(d),
                 STDDEV_SAMP(d), VAR_POP(d), COUNT(DISTINCT v), QUANTILE_CONT(d, 0.5)
               FROM s GROUP BY 1, 2 HAVING COUNT(*) > 1""")


@pytest.mark.parametrize("frame,theirs", [("RANGE INTERVAL '13' SECOND PRECEDING",
                                           "ORDER BY at_ms RANGE BETWEEN 13000 PRECEDING AND CURRENT ROW"),
                                          ("ROWS 7 PRECEDING",
                                           "ORDER BY at_ms ROWS BETWEEN 7 PRECEDING AND CURRENT ROW")])
def test_sliding_windows(compare, frame, theirs):
    calls = "COUNT(*), COUNT(v), SUM(v), MIN(v), MAX(v), AVG(d), FIRST_VALUE(v), LAST_VALUE(v)"
    over = lambda casts: ", ".join(f"{call} OVER w" + ("::BIGINT" if casts and call == "SUM(v)" else "")
                                   for call in calls.split(", "))
    compare(f"""
        CREATE STREAM D (at_ms BIGINT, n BIGINT, nv BIGINT, s BIGINT, lo INTEGER, hi INTEGER, av DOUBLE, f INTEGER, l INTEGER);
        CREATE PUMP P AS INSERT INTO D SELECT STREAM at_ms, {over(False)}
        FROM SOURCE_SQL_STREAM_001 WINDOW w AS (PARTITION BY k {frame})""",
            f"SELECT at_ms, {over(True)} FROM s WINDOW w AS (PARTITION BY k {theirs})")


def test_hopping_windows(compare):
    compare("""
        CREATE STREAM D (w BIGINT, k VARCHAR(8), n BIGINT, s BIGINT);
        CREATE PUMP P AS INSERT INTO D SELECT STREAM UNIX_TIMESTAMP(window_end), k, COUNT(*), SUM(v)
        FROM TABLE(HOP(TABLE SOURCE_SQL_STREAM_001, DESCRIPTOR(ROWTIME), INTERVAL '10' SECOND, INTERVAL '30' SECOND))
        GROUP BY window_start, window_end, k""",
            """SELECT (at_ms // 10000 + i) * 10000, k, COUNT(*), SUM(v)::BIGINT
               FROM s, (VALUES (1), (2), (3)) AS hops(i) GROUP BY 1, 2""")


@pytest.mark.parametrize("kind", ["JOIN", "LEFT JOIN"])
def test_windowed_joins(compare, kind):
    compare(f"""
        CREATE STREAM L (at_ms BIGINT, k VARCHAR(8), v INTEGER);
        CREATE PUMP PL AS INSERT INTO L SELECT STREAM at_ms, k, v FROM SOURCE_SQL_STREAM_001 WHERE side = 0;
        CREATE STREAM R (at_ms BIGINT, k VARCHAR(8), v INTEGER);
        CREATE PUMP PR AS INSERT INTO R SELECT STREAM at_ms, k, v FROM SOURCE_SQL_STREAM_001 WHERE side = 1;
        CREATE STREAM D (l BIGINT, r BIGINT, lv INTEGER, rv INTEGER);
        CREATE PUMP P AS INSERT INTO D SELECT STREAM l.at_ms, r.at_ms, l.v, r.v
        FROM L OVER (RANGE INTERVAL '9' SECOND PRECEDING) AS l {kind} R OVER (RANGE INTERVAL '4' SECOND PRECEDING) AS r
          ON l.k = r.k AND l.v < r.v""",
            f"""SELECT l.at_ms, r.at_ms, l.v, r.v FROM (FROM s WHERE side = 0) AS l {kind} (FROM s WHERE side = 1) AS r
                ON l.k = r.k AND l.v < r.v AND r.at_ms BETWEEN l.at_ms - 4000 AND l.at_ms + 9000""")


class Relations:
    """Random queries over tables A, B, C; each gives columns k and n."""

    def __init__(self, seed):
        self.source = random.Random(seed)

    def rows(self):
        return [{"K": self.source.choice([None, "a", "b", "c", "d"]), "N": self.source.choice([None, *range(-2, 4)])}
                for _ in range(self.source.randint(0, 14))] + [{"K": "z", "N": 9}]

    def condition(self, depth):
        some = self.source.choice(["n > 0", "k <> 'a'", "n IS NULL", "k IS NOT NULL", "n BETWEEN -1 AND 2"])
        if depth > 0 and self.source.random() < 0.3:
            some = self.source.choice(["n IN", "n NOT IN"]) + f" (SELECT n FROM ({self.query(depth - 1)}) AS i)"
        return some

    def query(self, depth):
        kind = self.source.randint(0, 6) if depth > 0 else 0
        if kind == 0:
            where = f" WHERE {self.condition(depth)}" if self.source.random() < 0.5 else ""
            return f"SELECT k, n FROM {self.source.choice('ABC')}{where}"
        if kind == 1:
            having = " HAVING COUNT(*) > 1" if self.source.random() < 0.3 else ""
            aggregate = self.source.choice(["COUNT(*)", "COUNT(n)", "MIN(n)", "CAST(SUM(n) AS BIGINT)", "COUNT(DISTINCT n)"])
            return f"SELECT k, {aggregate} AS n FROM ({self.query(depth - 1)}) AS g GROUP BY k{having}"
        if kind == 2:
            join = self.source.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
            also = " AND x.n < y.n" if self.source.random() < 0.3 else ""
            return (f"SELECT x.k AS k, y.n AS n FROM (SELECT DISTINCT * FROM ({self.query(depth - 1)}) AS xs) AS x "
                    f"{join} (SELECT DISTINCT * FROM ({self.query(depth - 1)}) AS ys) AS y ON x.k = y.k{also}")
        if kind == 3:
            return f"SELECT DISTINCT k, n FROM ({self.query(depth - 1)}) AS d WHERE {self.condition(depth)}"
        if kind == 4:
            ranks = f"SELECT k, n, RANK() OVER (PARTITION BY k ORDER BY n DESC) AS r FROM ({self.query(depth - 1)}) AS w WHERE n IS NOT NULL"
            return f"SELECT k, r AS n FROM ({ranks}) AS ranked WHERE r < 4"
        parts = [self.query(depth - 1) for _ in range(self.source.randint(2, 4))]
        parts = [f"({part})" if self.source.random() < 0.4 or " UNION " in part or " EXCEPT " in part or " INTERSECT " in part
                 else part for part in parts]
        text = parts[0]
        for part in parts[1:]:
            text += f" {self.source.choice(['UNION', 'UNION ALL', 'EXCEPT', 'INTERSECT'])} {part}"
        return text


@pytest.mark.parametrize("seed", range(1, 9))
def test_relations(seed, run_millstream, tmp_path):
    relations = Relations(seed)
    database = duckdb.connect()
    references = []
    for name in "ABC":
        rows = relations.rows()
        (tmp_path / f"{name}.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
        references += ["--reference", f"{name}={tmp_path}/{name}.json"]
        database.execute(f"CREATE TABLE {name} (k VARCHAR, n BIGINT)")
        database.executemany(f"INSERT INTO {name} VALUES (?, ?)", [[row["K"], row["N"]] for row in rows])
    queries = [relations.query(3) for _ in range(60)]
    (tmp_path / "app.sql").write_text("".join(
        f"CREATE STREAM q{i} (k VARCHAR, n BIGINT);\nCREATE PUMP p{i} AS INSERT INTO q{i} {query};\n"
        for i, query in enumerate(queries)))
    (tmp_path / "in.json").write_text('{"v": 1}\n')
    done = run_millstream("sql", tmp_path / "app.sql", "--input", tmp_path / "in.json", "--columns", "v INTEGER", *references,
                          "--strict", check=True)
    ours = {f"Q{i}": [] for i in range(len(queries))}
    for line in done.stdout.splitlines():
        row = json.loads(line)
        ours[row["stream"]].append(tuple(row["row"].values()))
    key = lambda row: [(value is not None, value) for value in row]
    for i, query in enumerate(queries):
        assert sorted(ours[f"Q{i}"], key=key) == sorted(database.execute(query).fetchall(), key=key), query
    assert sum(len(rows) > 1 for rows in ours.values()) > 20
