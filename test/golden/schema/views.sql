CREATE OR REPLACE VIEW pub.events_player_action DEFINER = writer SQL SECURITY DEFINER AS SELECT
    e.event_id AS event_id, e.timestamp AS timestamp, e.customer_id AS customer_id, e.visitor_id AS visitor_id,
    nullIf(e.user_id, '') AS user_id, e.session_id AS session_id, e.event_name AS event_name, e.received_at AS received_at,
    JSONExtract(e.properties, 'action_type', 'Nullable(String)') AS `action_type`,
    JSONExtract(e.properties, 'game_level', 'Nullable(String)') AS `game_level`,
    JSONExtract(e.properties, 'platform', 'Nullable(String)') AS `platform`,
    JSONExtract(e.properties, 'region', 'Nullable(String)') AS `region`
FROM weir.events_raw AS e WHERE customer_id = (SELECT any(tenant) FROM weir.tenant_users WHERE user = currentUser() HAVING uniqExact(tenant) = 1)
    AND event_type = 'player_action'
COMMENT 'event type';

CREATE OR REPLACE VIEW pub.events_match_ended DEFINER = writer SQL SECURITY DEFINER AS SELECT
    e.event_id AS event_id, e.timestamp AS timestamp, e.customer_id AS customer_id, e.visitor_id AS visitor_id,
    nullIf(e.user_id, '') AS user_id, e.session_id AS session_id, e.event_name AS event_name, e.received_at AS received_at,
    JSONExtract(e.properties, 'match_id', 'Nullable(String)') AS `match_id`,
    JSONExtract(e.properties, 'nick', 'Nullable(String)') AS `nick`,
    JSONExtract(e.properties, 'email', 'Nullable(String)') AS `email`,
    JSONExtract(e.properties, 'card', 'Nullable(String)') AS `card`,
    JSONExtract(e.properties, 'home', 'Nullable(String)') AS `home`,
    ifNull(JSONExtract(e.properties, 'country', 'Nullable(String)'), 'DE') AS `country`,
    JSONExtract(e.properties, 'ip', 'Nullable(String)') AS `ip`,
    multiIf(JSONType(e.properties, 'ended_at') = 'String', parseDateTime64BestEffortOrNull(JSONExtractString(e.properties, 'ended_at'), 3, 'UTC'), JSONType(e.properties, 'ended_at') IN ('Int64', 'UInt64', 'Double'), fromUnixTimestamp64Milli(toInt64(JSONExtractFloat(e.properties, 'ended_at') * if(abs(JSONExtractFloat(e.properties, 'ended_at')) < 1e11, 1000, 1)), 'UTC'), NULL) AS `ended_at`,
    ifNull(multiIf(JSONType(e.properties, 'began_at') = 'String', parseDateTime64BestEffortOrNull(JSONExtractString(e.properties, 'began_at'), 3, 'UTC'), JSONType(e.properties, 'began_at') IN ('Int64', 'UInt64', 'Double'), fromUnixTimestamp64Milli(toInt64(JSONExtractFloat(e.properties, 'began_at') * if(abs(JSONExtractFloat(e.properties, 'began_at')) < 1e11, 1000, 1)), 'UTC'), NULL), fromUnixTimestamp64Milli(1769817600000, 'UTC')) AS `began_at`,
    ifNull(JSONExtract(e.properties, 'won', 'Nullable(Bool)'), false) AS `won`,
    JSONExtract(e.properties, 'ranked', 'Nullable(Bool)') AS `ranked`,
    JSONExtract(e.properties, 'code', 'Nullable(String)') AS `code`,
    JSONExtract(e.properties, 'old_mode', 'Nullable(String)') AS `old_mode`,
    JSONExtract(e.properties, 'mode', 'Nullable(String)') AS `mode`,
    ifNull(JSONExtract(e.properties, 'stars', 'Nullable(Int64)'), 1) AS `stars`,
    JSONExtract(e.properties, 'score', 'Nullable(Int64)') AS `score`,
    ifNull(JSONExtract(e.properties, 'accuracy', 'Nullable(Float64)'), 0.5) AS `accuracy`,
    ifNull(JSONExtract(e.properties, 'prize_cents', 'Nullable(Int64)'), 250) AS `prize_cents`,
    JSONExtract(e.properties, 'entry_cents', 'Nullable(Int64)') AS `entry_cents`
FROM weir.events_raw AS e WHERE customer_id = (SELECT any(tenant) FROM weir.tenant_users WHERE user = currentUser() HAVING uniqExact(tenant) = 1)
    AND event_type = 'match_ended'
COMMENT 'event type';

CREATE OR REPLACE VIEW pub.events_PlayerAction DEFINER = writer SQL SECURITY DEFINER AS SELECT
    e.event_id AS event_id, e.timestamp AS timestamp, e.customer_id AS customer_id, e.visitor_id AS visitor_id,
    nullIf(e.user_id, '') AS user_id, e.session_id AS session_id, e.event_name AS event_name, e.received_at AS received_at,
    JSONExtract(e.properties, 'action_type', 'Nullable(String)') AS `action_type`
FROM weir.events_raw AS e WHERE customer_id = (SELECT any(tenant) FROM weir.tenant_users WHERE user = currentUser() HAVING uniqExact(tenant) = 1)
    AND event_type = 'PlayerAction'
COMMENT 'event type';

CREATE OR REPLACE VIEW pub.events_purchase DEFINER = writer SQL SECURITY DEFINER AS SELECT
    e.event_id AS event_id, e.timestamp AS timestamp, e.customer_id AS customer_id, e.visitor_id AS visitor_id,
    nullIf(e.user_id, '') AS user_id, e.session_id AS session_id, e.event_name AS event_name, e.received_at AS received_at,
    JSONExtract(e.properties, 'product_id', 'Nullable(String)') AS `product_id`,
    JSONExtract(e.properties, 'amount_cents', 'Nullable(Int64)') AS `amount_cents`
FROM weir.events_raw AS e WHERE customer_id = (SELECT any(tenant) FROM weir.tenant_users WHERE user = currentUser() HAVING uniqExact(tenant) = 1)
    AND event_type = 'purchase'
COMMENT 'event type';

CREATE OR REPLACE VIEW pub.events_sale DEFINER = writer SQL SECURITY DEFINER AS SELECT
    e.event_id AS event_id, e.timestamp AS timestamp, e.customer_id AS customer_id, e.visitor_id AS visitor_id,
    nullIf(e.user_id, '') AS user_id, e.session_id AS session_id, e.event_name AS event_name, e.received_at AS received_at,
    JSONExtract(e.properties, 'currency', 'Nullable(String)') AS `currency`,
    JSONExtract(e.properties, 'till', 'Nullable(Int64)') AS `till`,
    JSONExtract(e.properties, 'seller', 'Nullable(String)') AS `seller`,
    JSONExtract(e.properties, 'amount_cents', 'Nullable(Int64)') AS `amount_cents`,
    JSONExtract(e.properties, 'weight', 'Nullable(Float64)') AS `weight`
FROM weir.events_raw AS e WHERE customer_id = (SELECT any(tenant) FROM weir.tenant_users WHERE user = currentUser() HAVING uniqExact(tenant) = 1)
    AND event_type = 'sale'
COMMENT 'event type';
