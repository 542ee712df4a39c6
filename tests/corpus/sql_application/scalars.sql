CREATE FUNCTION half(x DOUBLE) RETURNS DOUBLE CONTAINS SQL RETURN CASE WHEN x > 1 THEN x / 2 ELSE NULL END;
CREATE STREAM d (a VARCHAR(64), t TIMESTAMP, i BIGINT, x DECIMAL(18,6), f BOOLEAN, s VARCHAR(64), j VARCHAR(64));
CREATE PUMP p AS INSERT INTO d SELECT STREAM UPPER(SUBSTRING(sector FROM 2 FOR 3)) || OVERLAY(sector PLACING 'x' FROM 2) || TRIM(LEADING 'a' FROM sector),
CHAR_TO_TIMESTAMP('yyyy-MM-dd HH:mm:ss', sector), TSDIFF(event_time, ROWTIME) + UNIX_TIMESTAMP(event_time) + EXTRACT(DAY FROM event_time), d * 3.25 / n,
(event_time, event_time + INTERVAL '1' DAY) LEADS (ROWTIME, ROWTIME + INTERVAL '2' DAY) OR sector SIMILAR TO '(a|b)%' OR n IN (SELECT v FROM (VALUES (1), (2)) AS q(v)),
TIMESTAMP_TO_CHAR('EEE, d MMM yyyy hh:mm:ss a', event_time) || CAST(half(price) AS VARCHAR(16)) || REGEX_REPLACE(sector, '[a-c]+', '$0', 1, 0), JSON_VALUE(sector, '$.a[0]')
FROM source_sql_stream_001;
