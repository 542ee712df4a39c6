-- Bids for some auctions.
CREATE STREAM results (auction BIGINT, price BIGINT);

CREATE PUMP q2 AS INSERT INTO results
SELECT STREAM bid_auction, bid_price FROM events WHERE event_type = 2 AND MOD(bid_auction, 123) = 0;
