-- Who sells in category 10, in three states: people and auctions meet whichever comes first.
CREATE STREAM person (date_time TIMESTAMP, id BIGINT, name VARCHAR(64), city VARCHAR(64), state VARCHAR(2),
  WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND);
CREATE PUMP persons AS INSERT INTO person
SELECT STREAM person_date_time, person_id, person_name, person_city, person_state FROM events
WHERE event_type = 0 AND person_state IN ('OR', 'ID', 'CA');

CREATE STREAM auction (date_time TIMESTAMP, id BIGINT, seller BIGINT,
  WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND);
CREATE PUMP auctions AS INSERT INTO auction
SELECT STREAM auction_date_time, auction_id, auction_seller FROM events WHERE event_type = 1 AND auction_category = 10;

CREATE STREAM results (name VARCHAR(64), city VARCHAR(64), state VARCHAR(2), id BIGINT);
CREATE PUMP q3 AS INSERT INTO results
SELECT STREAM p.name, p.city, p.state, a.id
FROM auction OVER (RANGE INTERVAL '1' DAY PRECEDING) AS a
JOIN person OVER (RANGE INTERVAL '1' DAY PRECEDING) AS p ON a.seller = p.id;
