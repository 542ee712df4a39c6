-- Dollars to euros.
CREATE STREAM results (auction BIGINT, bidder BIGINT, price DECIMAL(18, 3), date_time TIMESTAMP, extra VARCHAR(1024));

CREATE PUMP q1 AS INSERT INTO results
SELECT STREAM bid_auction, bid_bidder, 0.908 * bid_price, bid_date_time, bid_extra FROM events WHERE event_type = 2;
