-- The average final price of the auctions of each category, day by day. An auction is the left side:
-- among equal times it comes first, so bids need not wait for it.
CREATE STREAM auction (date_time TIMESTAMP, id BIGINT, category BIGINT, expires TIMESTAMP,
  WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND);
CREATE PUMP auctions AS INSERT INTO auction
SELECT STREAM auction_date_time, auction_id, auction_category, auction_expires FROM events WHERE event_type = 1;

CREATE STREAM bid (date_time TIMESTAMP, auction BIGINT, price BIGINT,
  WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND);
CREATE PUMP bids AS INSERT INTO bid
SELECT STREAM bid_date_time, bid_auction, bid_price FROM events WHERE event_type = 2;

CREATE STREAM results (category BIGINT, final BIGINT);
CREATE PUMP q4 AS INSERT INTO results
SELECT STREAM q.category, AVG(q.final) FROM (
  SELECT STREAM MAX(b.price) AS final, a.category AS category
  FROM auction OVER (RANGE INTERVAL '1' DAY PRECEDING) AS a
  JOIN bid AS b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
  GROUP BY FLOOR(ROWTIME TO DAY), a.id, a.category
) AS q
GROUP BY q.ROWTIME, q.category;
