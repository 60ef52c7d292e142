-- One row for every (pickup_zip, slot of 15 minutes) in which a trip began. A row knows only what had happened before
-- its slot began: trips that had begun (their number) and trips that had ended (their fares). Means are rounded so that
-- another order of summation does not show up as a change in the feed.
MERGE INTO trip_pickup_features AS target
USING (
  WITH keys AS (
    SELECT DISTINCT
      pickup_zip,
      timestamp_micros(unix_micros(tpep_pickup_datetime) div 900000000 * 900000000) AS rounded_pickup_datetime
    FROM trips
  ),
  begun AS (
    SELECT keys.pickup_zip, keys.rounded_pickup_datetime, count(*) AS trips_1h
    FROM keys
    JOIN trips
      ON trips.pickup_zip = keys.pickup_zip
      AND trips.tpep_pickup_datetime >= keys.rounded_pickup_datetime - INTERVAL 1 HOUR
      AND trips.tpep_pickup_datetime < keys.rounded_pickup_datetime
    GROUP BY keys.pickup_zip, keys.rounded_pickup_datetime
  ),
  ended AS (
    SELECT
      keys.pickup_zip,
      keys.rounded_pickup_datetime,
      round(avg(trips.fare_amount), 6) AS mean_fare_7d,
      round(avg(CASE WHEN trips.trip_distance > 0 THEN trips.fare_amount / trips.trip_distance END), 6)
        AS mean_fare_per_mile_7d
    FROM keys
    JOIN trips
      ON trips.pickup_zip = keys.pickup_zip
      AND trips.tpep_dropoff_datetime >= keys.rounded_pickup_datetime - INTERVAL 7 DAYS
      AND trips.tpep_dropoff_datetime < keys.rounded_pickup_datetime
    GROUP BY keys.pickup_zip, keys.rounded_pickup_datetime
  )
  SELECT
    keys.pickup_zip,
    keys.rounded_pickup_datetime,
    CAST(coalesce(begun.trips_1h, 0) AS INT) AS count_trips_window_1h_pickup_zip,
    ended.mean_fare_7d AS mean_fare_window_7d_pickup_zip,
    ended.mean_fare_per_mile_7d AS mean_fare_per_mile_window_7d_pickup_zip,
    CAST(unix_micros(keys.rounded_pickup_datetime) div 3600000000 % 24 AS INT) AS pickup_hour,
    -- Day 0 of the epoch was a Thursday: 2 and 3 days later come Saturday and Sunday.
    CAST(CASE WHEN unix_micros(keys.rounded_pickup_datetime) div 86400000000 % 7 IN (2, 3) THEN 1 ELSE 0 END AS INT)
      AS pickup_is_weekend
  FROM keys
  LEFT JOIN begun
    ON begun.pickup_zip = keys.pickup_zip AND begun.rounded_pickup_datetime = keys.rounded_pickup_datetime
  LEFT JOIN ended
    ON ended.pickup_zip = keys.pickup_zip AND ended.rounded_pickup_datetime = keys.rounded_pickup_datetime
) AS source
ON target.pickup_zip = source.pickup_zip AND target.rounded_pickup_datetime = source.rounded_pickup_datetime
WHEN MATCHED AND NOT (
  target.count_trips_window_1h_pickup_zip <=> source.count_trips_window_1h_pickup_zip
  AND target.mean_fare_window_7d_pickup_zip <=> source.mean_fare_window_7d_pickup_zip
  AND target.mean_fare_per_mile_window_7d_pickup_zip <=> source.mean_fare_per_mile_window_7d_pickup_zip
  AND target.pickup_hour <=> source.pickup_hour
  AND target.pickup_is_weekend <=> source.pickup_is_weekend
) THEN UPDATE SET
  count_trips_window_1h_pickup_zip = source.count_trips_window_1h_pickup_zip,
  mean_fare_window_7d_pickup_zip = source.mean_fare_window_7d_pickup_zip,
  mean_fare_per_mile_window_7d_pickup_zip = source.mean_fare_per_mile_window_7d_pickup_zip,
  pickup_hour = source.pickup_hour,
  pickup_is_weekend = source.pickup_is_weekend
WHEN NOT MATCHED THEN INSERT (
  pickup_zip,
  rounded_pickup_datetime,
  count_trips_window_1h_pickup_zip,
  mean_fare_window_7d_pickup_zip,
  mean_fare_per_mile_window_7d_pickup_zip,
  pickup_hour,
  pickup_is_weekend
) VALUES (
  source.pickup_zip,
  source.rounded_pickup_datetime,
  source.count_trips_window_1h_pickup_zip,
  source.mean_fare_window_7d_pickup_zip,
  source.mean_fare_per_mile_window_7d_pickup_zip,
  source.pickup_hour,
  source.pickup_is_weekend
)
WHEN NOT MATCHED BY SOURCE THEN DELETE
