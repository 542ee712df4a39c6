-- Bids, bidders and auctions of each day, by price.
CREATE STREAM bid (date_time TIMESTAMP, auction BIGINT, bidder BIGINT, price BIGINT,
  WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND);
CREATE PUMP bids AS INSERT INTO bid
SELECT STREAM bid_date_time, bid_auction, bid_bidder, bid_price FROM events WHERE event_type = 2;

CREATE STREAM results ("day" VARCHAR(10), total_bids BIGINT, rank1_bids BIGINT, rank2_bids BIGINT, rank3_bids BIGINT,
  total_bidders BIGINT, rank1_bidders BIGINT, rank2_bidders BIGINT, rank3_bidders BIGINT,
  total_auctions BIGINT, rank1_auctions BIGINT, rank2_auctions BIGINT, rank3_auctions BIGINT);
CREATE PUMP q15 AS INSERT INTO results
SELECT STREAM TIMESTAMP_TO_CHAR('yyyy-MM-dd', FLOOR(bid.ROWTIME TO DAY)),
  COUNT(*),
  COUNT(CASE WHEN price < 10000 THEN 1 END),
  COUNT(CASE WHEN price >= 10000 AND price < 1000000 THEN 1 END),
  COUNT(CASE WHEN price >= 1000000 THEN 1 END),
  COUNT(DISTINCT bidder),
  COUNT(DISTINCT CASE WHEN price < 10000 THEN bidder END),
  COUNT(DISTINCT CASE WHEN price >= 10000 AND price < 1000000 THEN bidder END),
  COUNT(DISTINCT CASE WHEN price >= 1000000 THEN bidder END),
  COUNT(DISTINCT auction),
  COUNT(DISTINCT CASE WHEN price < 10000 THEN auction END),
  COUNT(DISTINCT CASE WHEN price >= 10000 AND price < 1000000 THEN auction END),
  COUNT(DISTINCT CASE WHEN price >= 1000000 THEN auction END)
FROM bid
GROUP BY FLOOR(bid.ROWTIME TO DAY);
