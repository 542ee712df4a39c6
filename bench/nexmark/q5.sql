-- The auctions with most bids in the last ten seconds, every two seconds.
CREATE STREAM bid (date_time TIMESTAMP, auction BIGINT, WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND);
CREATE PUMP bids AS INSERT INTO bid
SELECT STREAM bid_date_time, bid_auction FROM events WHERE event_type = 2;

CREATE STREAM results (auction BIGINT, num BIGINT);
CREATE PUMP q5 AS INSERT INTO results
SELECT STREAM auction, num FROM (
  SELECT STREAM auction, num, RANK() OVER (PARTITION BY window_end ORDER BY num DESC) AS place FROM (
    SELECT STREAM auction, window_end, COUNT(*) AS num
    FROM TABLE(HOP(TABLE bid, DESCRIPTOR(ROWTIME), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
    GROUP BY auction, window_end))
WHERE place = 1;
