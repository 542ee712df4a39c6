-- How many bids each person makes before ten seconds without one.
CREATE STREAM bid (date_time TIMESTAMP, bidder BIGINT, WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND);
CREATE PUMP bids AS INSERT INTO bid
SELECT STREAM bid_date_time, bid_bidder FROM events WHERE event_type = 2;

CREATE STREAM results (bidder BIGINT, bid_count BIGINT, starttime TIMESTAMP, endtime TIMESTAMP);
CREATE PUMP q11 AS INSERT INTO results
SELECT STREAM bidder, COUNT(*), window_start, window_end
FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ROWTIME), INTERVAL '10' SECOND))
GROUP BY bidder, window_start, window_end;
