-- Bids and prices of each auction and day.
CREATE STREAM bid (date_time TIMESTAMP, auction BIGINT, price BIGINT, WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND);
CREATE PUMP bids AS INSERT INTO bid
SELECT STREAM bid_date_time, bid_auction, bid_price FROM events WHERE event_type = 2;

CREATE STREAM results (auction BIGINT, "day" VARCHAR(10), total_bids BIGINT, rank1_bids BIGINT, rank2_bids BIGINT, rank3_bids BIGINT,
  min_price BIGINT, max_price BIGINT, avg_price BIGINT, sum_price BIGINT);
CREATE PUMP q17 AS INSERT INTO results
SELECT STREAM auction, TIMESTAMP_TO_CHAR('yyyy-MM-dd', FLOOR(bid.ROWTIME TO DAY)),
  COUNT(*),
  COUNT(CASE WHEN price < 10000 THEN 1 END),
  COUNT(CASE WHEN price >= 10000 AND price < 1000000 THEN 1 END),
  COUNT(CASE WHEN price >= 1000000 THEN 1 END),
  MIN(price), MAX(price), AVG(price), SUM(price)
FROM bid
GROUP BY FLOOR(bid.ROWTIME TO DAY), auction;
