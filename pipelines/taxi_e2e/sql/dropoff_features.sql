-- One row for every location and hour in which a trip to it began, and one for every location at the end of the data.
-- The hour is the pickup's, because that is when a fare is asked for. A row knows only trips that had ended before its
-- hour began. Where they came from is what one location says of another: how many origins, how many from another
-- borough, how far away.
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
    dropoff_location_id,
    timestamp_micros(unix_micros(pickup_datetime) div 3600000000 * 3600000000) AS as_of
  FROM located_trips
  UNION
  SELECT places.location_id AS dropoff_location_id, newest.as_of FROM places CROSS JOIN newest
),
crossing AS (
  SELECT
    trips.*,
    CASE WHEN coalesce(origin.borough, 'Unknown') <> coalesce(target.borough, 'Unknown') THEN 1.0 ELSE 0.0 END AS crosses
  FROM located_trips AS trips
  LEFT JOIN taxi_locations AS origin ON origin.location_id = trips.pickup_location_id
  LEFT JOIN taxi_locations AS target ON target.location_id = trips.dropoff_location_id
),
ended AS (
  SELECT
    keys.dropoff_location_id,
    keys.as_of,
    count(CASE WHEN trips.dropoff_datetime >= keys.as_of - INTERVAL 1 HOUR THEN 1 END) AS trips_1h,
    round(avg(trips.fare_amount), 6) AS mean_fare_7d,
    count(DISTINCT trips.pickup_location_id) AS origins_7d,
    round(avg(trips.crosses), 6) AS cross_borough_share_7d,
    round(avg(trips.trip_distance), 6) AS mean_distance_7d
  FROM keys
  JOIN crossing AS trips
    ON trips.dropoff_location_id = keys.dropoff_location_id
    AND trips.dropoff_datetime >= keys.as_of - INTERVAL 7 DAYS
    AND trips.dropoff_datetime < keys.as_of
  GROUP BY keys.dropoff_location_id, keys.as_of
)
SELECT
  CAST(keys.dropoff_location_id AS INT) AS dropoff_location_id,
  keys.as_of,
  CAST(coalesce(ended.trips_1h, 0) AS INT) AS dropoff_trips_1h,
  CAST(ended.mean_fare_7d AS DOUBLE) AS dropoff_mean_fare_7d,
  CAST(coalesce(ended.origins_7d, 0) AS INT) AS dropoff_origins_7d,
  CAST(ended.cross_borough_share_7d AS DOUBLE) AS dropoff_cross_borough_share_7d,
  CAST(ended.mean_distance_7d AS DOUBLE) AS dropoff_mean_distance_7d,
  coalesce(locations.borough, 'Unknown') AS dropoff_borough,
  CAST(coalesce(locations.is_airport, 0) AS INT) AS dropoff_is_airport
FROM keys
LEFT JOIN ended ON ended.dropoff_location_id = keys.dropoff_location_id AND ended.as_of = keys.as_of
LEFT JOIN taxi_locations AS locations ON locations.location_id = keys.dropoff_location_id
