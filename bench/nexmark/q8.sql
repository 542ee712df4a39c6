-- People who opened an auction in the ten seconds in which they registered.
CREATE STREAM person (date_time TIMESTAMP, id BIGINT, name VARCHAR(64), WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND);
CREATE PUMP persons AS INSERT INTO person
SELECT STREAM person_date_time, person_id, person_name FROM events WHERE event_type = 0;

CREATE STREAM auction (date_time TIMESTAMP, seller BIGINT, WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND);
CREATE PUMP auctions AS INSERT INTO auction
SELECT STREAM auction_date_time, auction_seller FROM events WHERE event_type = 1;

CREATE VIEW registered AS SELECT STREAM id, name, window_start, window_end
FROM TABLE(TUMBLE(TABLE person, DESCRIPTOR(ROWTIME), INTERVAL '10' SECOND)) GROUP BY id, name, window_start, window_end;
CREATE VIEW sellers AS SELECT STREAM seller, window_start, window_end
FROM TABLE(TUMBLE(TABLE auction, DESCRIPTOR(ROWTIME), INTERVAL '10' SECOND)) GROUP BY seller, window_start, window_end;

CREATE STREAM results (id BIGINT, name VARCHAR(64), stime TIMESTAMP);
CREATE PUMP q8 AS INSERT INTO results
SELECT STREAM p.id, p.name, p.window_start
FROM registered OVER (RANGE INTERVAL '0' SECOND PRECEDING) AS p
JOIN sellers OVER (RANGE INTERVAL '0' SECOND PRECEDING) AS a
ON p.id = a.seller AND p.window_start = a.window_start AND p.window_end = a.window_end;
