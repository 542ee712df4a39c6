-- Bids of each person per ten seconds of arrival.
CREATE VIEW bid AS SELECT STREAM bid_bidder AS bidder FROM events WHERE event_type = 2;

CREATE STREAM results (bidder BIGINT, bid_count BIGINT, starttime TIMESTAMP, endtime TIMESTAMP);
CREATE PUMP q12 AS INSERT INTO results
SELECT STREAM bidder, COUNT(*), window_start, window_end
FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ROWTIME), INTERVAL '10' SECOND))
GROUP BY bidder, window_start, window_end;
