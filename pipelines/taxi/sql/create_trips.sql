-- The columns of samples.nyctaxi.trips, whatever the source was (docs/taxi-pipeline.md, "Sources").
CREATE TABLE IF NOT EXISTS trips (
  tpep_pickup_datetime TIMESTAMP,
  tpep_dropoff_datetime TIMESTAMP,
  trip_distance DOUBLE,
  fare_amount DOUBLE,
  pickup_zip INT,
  dropoff_zip INT
)
