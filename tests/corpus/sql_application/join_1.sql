CREATE STREAM d (a VARCHAR(4), b VARCHAR(4), c VARCHAR(16));
CREATE PUMP p AS INSERT INTO d SELECT STREAM l.ticker_symbol, r.k, t.name FROM source_sql_stream_001 OVER (RANGE INTERVAL '2' SECOND PRECEDING) AS l
LEFT JOIN s OVER (ROWS 3 PRECEDING) AS r ON l.ticker_symbol = r.k AND l.n < r.v LEFT JOIN t ON t.k = l.ticker_symbol;
