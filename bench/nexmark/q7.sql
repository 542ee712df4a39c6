-- The highest bids of each ten seconds.
CREATE STREAM bid (date_time TIMESTAMP, auction BIGINT, bidder BIGINT, price BIGINT, extra VARCHAR(1024),
  WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND);
CREATE PUMP bids AS INSERT INTO bid
SELECT STREAM bid_date_time, bid_auction, bid_bidder, bid_price, bid_extra FROM events WHERE event_type = 2;

CREATE STREAM highest (date_time TIMESTAMP, price BIGINT);
CREATE PUMP maxima AS INSERT INTO highest
SELECT STREAM window_end, MAX(price)
FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ROWTIME), INTERVAL '10' SECOND)) GROUP BY window_end;

CREATE STREAM results (auction BIGINT, price BIGINT, bidder BIGINT, date_time TIMESTAMP, extra VARCHAR(1024));
CREATE PUMP q7 AS INSERT INTO results
SELECT STREAM b.auction, b.price, b.bidder, b.date_time, b.extra
FROM bid OVER (RANGE INTERVAL '10' SECOND PRECEDING) AS b
JOIN highest AS h ON b.price = h.price
WHERE b.date_time BETWEEN h.date_time - INTERVAL '10' SECOND AND h.date_time;
