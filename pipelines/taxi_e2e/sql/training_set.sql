-- Every trip with its features, as the endpoint would look them up: a row for the hour of the pickup is always there, and
-- is the newest one at or before it. Trips in a fixed order, so that a seed gives the same model again.
SELECT
  trips.pickup_datetime,
  trips.fare_amount,
  trips.trip_distance,
  trips.pickup_location_id,
  trips.dropoff_location_id,
  pickup.pickup_trips_1h,
  pickup.pickup_trips_24h,
  pickup.pickup_mean_fare_7d,
  pickup.pickup_mean_fare_per_mile_7d,
  pickup.pickup_mean_minutes_7d,
  pickup.pickup_borough,
  pickup.pickup_is_airport,
  dropoff.dropoff_trips_1h,
  dropoff.dropoff_mean_fare_7d,
  dropoff.dropoff_origins_7d,
  dropoff.dropoff_cross_borough_share_7d,
  dropoff.dropoff_mean_distance_7d,
  dropoff.dropoff_borough,
  dropoff.dropoff_is_airport
FROM located_trips AS trips
LEFT JOIN pickup_features AS pickup
  ON pickup.pickup_location_id = trips.pickup_location_id
  AND pickup.as_of = timestamp_micros(unix_micros(trips.pickup_datetime) div 3600000000 * 3600000000)
LEFT JOIN dropoff_features AS dropoff
  ON dropoff.dropoff_location_id = trips.dropoff_location_id
  AND dropoff.as_of = timestamp_micros(unix_micros(trips.pickup_datetime) div 3600000000 * 3600000000)
ORDER BY
  trips.pickup_datetime, trips.pickup_location_id, trips.dropoff_location_id, trips.trip_distance, trips.fare_amount,
  trips.dropoff_datetime
