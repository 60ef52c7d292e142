-- One row for every (dropoff_zip, slot of 30 minutes) in which a trip ended.
-- A row knows only trips that had ended before its slot began.
-- Means are rounded so that another order of summation does not show up as a change in the feed.
MERGE INTO trip_dropoff_features AS target
USING (
  WITH keys AS (
    SELECT DISTINCT
      dropoff_zip,
      timestamp_micros(unix_micros(tpep_dropoff_datetime) div 1800000000 * 1800000000) AS rounded_dropoff_datetime
    FROM trips
  ),
  ended AS (
    SELECT
      keys.dropoff_zip,
      keys.rounded_dropoff_datetime,
      count(CASE WHEN trips.tpep_dropoff_datetime >= keys.rounded_dropoff_datetime - INTERVAL 1 HOUR THEN 1 END)
        AS trips_1h,
      count(DISTINCT trips.pickup_zip) AS pickup_zips_7d,
      round(avg(trips.fare_amount), 6) AS mean_fare_7d
    FROM keys
    JOIN trips
      ON trips.dropoff_zip = keys.dropoff_zip
      AND trips.tpep_dropoff_datetime >= keys.rounded_dropoff_datetime - INTERVAL 7 DAYS
      AND trips.tpep_dropoff_datetime < keys.rounded_dropoff_datetime
    GROUP BY keys.dropoff_zip, keys.rounded_dropoff_datetime
  )
  SELECT
    keys.dropoff_zip,
    keys.rounded_dropoff_datetime,
    CAST(coalesce(ended.trips_1h, 0) AS INT) AS count_trips_window_1h_dropoff_zip,
    CAST(coalesce(ended.pickup_zips_7d, 0) AS INT) AS count_pickup_zips_window_7d_dropoff_zip,
    ended.mean_fare_7d AS mean_fare_window_7d_dropoff_zip,
    -- Day 0 of the epoch was a Thursday: 2 and 3 days later come Saturday and Sunday.
    CAST(CASE WHEN unix_micros(keys.rounded_dropoff_datetime) div 86400000000 % 7 IN (2, 3) THEN 1 ELSE 0 END AS INT)
      AS dropoff_is_weekend
  FROM keys
  LEFT JOIN ended
    ON ended.dropoff_zip = keys.dropoff_zip AND ended.rounded_dropoff_datetime = keys.rounded_dropoff_datetime
) AS source
ON target.dropoff_zip = source.dropoff_zip AND target.rounded_dropoff_datetime = source.rounded_dropoff_datetime
WHEN MATCHED AND NOT (
  target.count_trips_window_1h_dropoff_zip <=> source.count_trips_window_1h_dropoff_zip
  AND target.count_pickup_zips_window_7d_dropoff_zip <=> source.count_pickup_zips_window_7d_dropoff_zip
  AND target.mean_fare_window_7d_dropoff_zip <=> source.mean_fare_window_7d_dropoff_zip
  AND target.dropoff_is_weekend <=> source.dropoff_is_weekend
) THEN UPDATE SET
  count_trips_window_1h_dropoff_zip = source.count_trips_window_1h_dropoff_zip,
  count_pickup_zips_window_7d_dropoff_zip = source.count_pickup_zips_window_7d_dropoff_zip,
  mean_fare_window_7d_dropoff_zip = source.mean_fare_window_7d_dropoff_zip,
  dropoff_is_weekend = source.dropoff_is_weekend
WHEN NOT MATCHED THEN INSERT (
  dropoff_zip,
  rounded_dropoff_datetime,
  count_trips_window_1h_dropoff_zip,
  count_pickup_zips_window_7d_dropoff_zip,
  mean_fare_window_7d_dropoff_zip,
  dropoff_is_weekend
) VALUES (
  source.dropoff_zip,
  source.rounded_dropoff_datetime,
  source.count_trips_window_1h_dropoff_zip,
  source.count_pickup_zips_window_7d_dropoff_zip,
  source.mean_fare_window_7d_dropoff_zip,
  source.dropoff_is_weekend
)
WHEN NOT MATCHED BY SOURCE THEN DELETE
