-- Pass through: what reading and writing costs.
CREATE STREAM results (auction BIGINT, bidder BIGINT, price BIGINT, date_time TIMESTAMP, extra VARCHAR(1024));

CREATE PUMP q0 AS INSERT INTO results
SELECT STREAM bid_auction, bid_bidder, bid_price, bid_date_time, bid_extra FROM events WHERE event_type = 2;
