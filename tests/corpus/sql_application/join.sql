CREATE STREAM d (a VARCHAR(4), b VARCHAR(4), c VARCHAR(16));
CREATE PUMP p AS INSERT INTO d SELECT STREAM l.ticker_symbol, r.k, t.name FROM source_sql_stream_001 OVER (RANGE INTERVAL '2' SECOND PRECEDING) AS l
LEFT JOIN s OVER (ROWS 3 PRECEDING) AS r ON l.ticker_symbol = r.k AND l.n < r.v LEFT JOIN t ON t.k = l.ticker_symbol;
CREATE STREAM e (a INTEGER, b INTEGER);
CREATE PUMP q AS INSERT INTO e SELECT STREAM x.n, y.v FROM source_sql_stream_001 x FULL OUTER JOIN s y ON x.n = y.v WHERE x.n IS DISTINCT FROM y.v;
