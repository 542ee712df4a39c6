-- Calls per source address and minute, over CloudTrail-shaped events.
CREATE OR REPLACE STREAM calls_per_ip_stream ("eventTimestamp" TIMESTAMP, "calls" INTEGER, "sourceIPAddress" VARCHAR(64));

CREATE OR REPLACE PUMP callsper_ip_pump AS
INSERT INTO calls_per_ip_stream
SELECT STREAM "eventTimestamp", COUNT(*), "sourceIPAddress"
FROM source_sql_stream_001 ctrail
GROUP BY "sourceIPAddress",
  STEP(ctrail.ROWTIME BY INTERVAL '1' MINUTE),
  STEP(ctrail."eventTimestamp" BY INTERVAL '1' MINUTE);
