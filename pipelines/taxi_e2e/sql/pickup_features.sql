-- One row for every location and hour in which a trip began there, and one for every location at the end of the data,
-- which is what the online copy keeps. A row knows only what had happened before its hour began: trips that had begun
-- (their number) and trips that had ended (their fares). Means are rounded so that another order of summation does not
-- show up as a change in the feed.
WITH newest AS (
  SELECT timestamp_micros((max(unix_micros(dropoff_datetime)) div 3600000000 + 1) * 3600000000) AS as_of
  FROM located_trips
),
places AS (
  SELECT location_id FROM taxi_locations
  UNION
  SELECT pickup_location_id AS location_id FROM located_trips
  UNION
  SELECT dropoff_location_id AS location_id FROM located_trips
),
keys AS (
  SELECT
    pickup_location_id,
    timestamp_micros(unix_micros(pickup_datetime) div 3600000000 * 3600000000) AS as_of
  FROM located_trips
  UNION
  SELECT places.location_id AS pickup_location_id, newest.as_of FROM places CROSS JOIN newest
),
begun AS (
  SELECT
    keys.pickup_location_id,
    keys.as_of,
    count(CASE WHEN trips.pickup_datetime >= keys.as_of - INTERVAL 1 HOUR THEN 1 END) AS trips_1h,
    count(*) AS trips_24h
  FROM keys
  JOIN located_trips AS trips
    ON trips.pickup_location_id = keys.pickup_location_id
    AND trips.pickup_datetime >= keys.as_of - INTERVAL 24 HOURS
    AND trips.pickup_datetime < keys.as_of
  GROUP BY keys.pickup_location_id, keys.as_of
),
ended AS (
  SELECT
    keys.pickup_location_id,
    keys.as_of,
    round(avg(trips.fare_amount), 6) AS mean_fare_7d,
    round(avg(CASE WHEN trips.trip_distance > 0 THEN trips.fare_amount / trips.trip_distance END), 6)
      AS mean_fare_per_mile_7d,
    round(avg((unix_micros(trips.dropoff_datetime) - unix_micros(trips.pickup_datetime)) / 60000000.0), 6)
      AS mean_minutes_7d
  FROM keys
  JOIN located_trips AS trips
    ON trips.pickup_location_id = keys.pickup_location_id
    AND trips.dropoff_datetime >= keys.as_of - INTERVAL 7 DAYS
    AND trips.dropoff_datetime < keys.as_of
  GROUP BY keys.pickup_location_id, keys.as_of
)
SELECT
  CAST(keys.pickup_location_id AS INT) AS pickup_location_id,
  keys.as_of,
  CAST(coalesce(begun.trips_1h, 0) AS INT) AS pickup_trips_1h,
  CAST(coalesce(begun.trips_24h, 0) AS INT) AS pickup_trips_24h,
  CAST(ended.mean_fare_7d AS DOUBLE) AS pickup_mean_fare_7d,
  CAST(ended.mean_fare_per_mile_7d AS DOUBLE) AS pickup_mean_fare_per_mile_7d,
  CAST(ended.mean_minutes_7d AS DOUBLE) AS pickup_mean_minutes_7d,
  coalesce(locations.borough, 'Unknown') AS pickup_borough,
  CAST(coalesce(locations.is_airport, 0) AS INT) AS pickup_is_airport
FROM keys
LEFT JOIN begun ON begun.pickup_location_id = keys.pickup_location_id AND begun.as_of = keys.as_of
LEFT JOIN ended ON ended.pickup_location_id = keys.pickup_location_id AND ended.as_of = keys.as_of
LEFT JOIN taxi_locations AS locations ON locations.location_id = keys.pickup_location_id
