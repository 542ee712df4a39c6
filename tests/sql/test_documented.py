"""Documented examples that need records rather than rows: see documented_*.test for the others."""
import json
import random
import re

# "RANDOM_CUT_FOREST_WITH_EXPLANATION", the application of the developer guide.
BLOOD_PRESSURE = """
CREATE OR REPLACE STREAM "TEMP_STREAM" ("Systolic" INTEGER, "Diastolic" INTEGER, "BloodPressureLevel" varchar(20),
    "ANOMALY_SCORE" DOUBLE, "ANOMALY_EXPLANATION" varchar(512));
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" ("Systolic" INTEGER, "Diastolic" INTEGER, "BloodPressureLevel" varchar(20),
    "ANOMALY_SCORE" DOUBLE, "ANOMALY_EXPLANATION" varchar(512));
CREATE OR REPLACE PUMP "STREAM_PUMP" AS
   INSERT INTO "TEMP_STREAM"
      SELECT STREAM "Systolic", "Diastolic", "BloodPressureLevel", ANOMALY_SCORE, ANOMALY_EXPLANATION
      FROM TABLE(RANDOM_CUT_FOREST_WITH_EXPLANATION(
              CURSOR(SELECT STREAM * FROM "SOURCE_SQL_STREAM_001"), 100, 256, 100000, 1, true));
CREATE OR REPLACE PUMP "OUTPUT_PUMP" AS
   INSERT INTO "DESTINATION_SQL_STREAM"
      SELECT STREAM * FROM "TEMP_STREAM"
      ORDER BY FLOOR("TEMP_STREAM".ROWTIME TO SECOND), ANOMALY_SCORE DESC;
"""
EXPLANATION = re.compile(r'\{"(Systolic|Diastolic)":\{"DIRECTION":"(LOW|HIGH)","STRENGTH":"\d+\.\d{4}","ATTRIBUTION_SCORE":"\d+\.\d{4}"\},'
                         r'"(Systolic|Diastolic)":\{"DIRECTION":"(LOW|HIGH)","STRENGTH":"\d+\.\d{4}","ATTRIBUTION_SCORE":"\d+\.\d{4}"\}\}')


def test_anomaly_explanation_has_the_documented_form(run_millstream, tmp_path):
    """documented: "Step 3: Examine the Results": 144/123 among normal pressures is the most anomalous, both too high."""
    random.seed(20180301)
    pressures = [{"Systolic": random.randint(90, 120), "Diastolic": random.randint(60, 80), "BloodPressureLevel": "NORMAL"} for _ in range(400)]
    pressures[380] = {"Systolic": 144, "Diastolic": 123, "BloodPressureLevel": "HIGH"}
    (tmp_path / "app.sql").write_text(BLOOD_PRESSURE)
    (tmp_path / "records.json").write_text("".join(json.dumps(p) + "\n" for p in pressures))
    done = run_millstream("sql", tmp_path / "app.sql", "--input", tmp_path / "records.json", "--tick", "100ms", "--output", "DESTINATION_SQL_STREAM",
                          "--columns", '"Systolic" INTEGER, "Diastolic" INTEGER, "BloodPressureLevel" VARCHAR(20)')
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 400 and done.stderr == ""
    rows = [line["row"] for line in lines]
    assert all(row["ANOMALY_SCORE"] == 0 for row in rows[:250])  # the learning phase of 256; ten rows are one sorted second
    scored = [row for row in rows if row["ANOMALY_SCORE"] != 0]
    assert len(scored) >= 140
    for row in scored:
        assert EXPLANATION.fullmatch(row["ANOMALY_EXPLANATION"]), row
        explained = json.loads(row["ANOMALY_EXPLANATION"])
        # "contribute in the ratio": the attributions add up to the score, to their four digits
        assert abs(sum(float(part["ATTRIBUTION_SCORE"]) for part in explained.values()) - row["ANOMALY_SCORE"]) < 0.0002
    worst = max(rows, key=lambda row: row["ANOMALY_SCORE"])
    assert worst["BloodPressureLevel"] == "HIGH" and worst["ANOMALY_SCORE"] > 2
    assert [part["DIRECTION"] for part in json.loads(worst["ANOMALY_EXPLANATION"]).values()] == ["HIGH", "HIGH"]
    seconds = {}
    for line in lines:
        seconds.setdefault(line["rowtime"][:19], []).append(line["row"]["ANOMALY_SCORE"])
    assert all(scores == sorted(scores, reverse=True) for scores in seconds.values())
