-- Every trip with its features, as the endpoint would look them up; trips in a fixed order, so that a seed gives the
-- same model again.
WITH keyed AS (
  SELECT
    tpep_pickup_datetime,
    fare_amount,
    trip_distance,
    pickup_zip,
    timestamp_micros(unix_micros(tpep_pickup_datetime) div 900000000 * 900000000) AS rounded_pickup_datetime,
    dropoff_zip,
    timestamp_micros(unix_micros(tpep_dropoff_datetime) div 1800000000 * 1800000000) AS rounded_dropoff_datetime
  FROM trips
)
SELECT
  keyed.tpep_pickup_datetime,
  keyed.fare_amount,
  keyed.trip_distance,
  keyed.pickup_zip,
  keyed.rounded_pickup_datetime,
  keyed.dropoff_zip,
  keyed.rounded_dropoff_datetime,
  pickup.count_trips_window_1h_pickup_zip,
  pickup.mean_fare_window_7d_pickup_zip,
  pickup.mean_fare_per_mile_window_7d_pickup_zip,
  pickup.pickup_hour,
  pickup.pickup_is_weekend,
  dropoff.count_trips_window_1h_dropoff_zip,
  dropoff.count_pickup_zips_window_7d_dropoff_zip,
  dropoff.mean_fare_window_7d_dropoff_zip,
  dropoff.dropoff_is_weekend
FROM keyed
LEFT JOIN trip_pickup_features AS pickup
  ON pickup.pickup_zip = keyed.pickup_zip AND pickup.rounded_pickup_datetime = keyed.rounded_pickup_datetime
LEFT JOIN trip_dropoff_features AS dropoff
  ON dropoff.dropoff_zip = keyed.dropoff_zip AND dropoff.rounded_dropoff_datetime = keyed.rounded_dropoff_datetime
ORDER BY
  keyed.tpep_pickup_datetime, keyed.pickup_zip, keyed.dropoff_zip, keyed.trip_distance, keyed.fare_amount,
  keyed.rounded_dropoff_datetime
