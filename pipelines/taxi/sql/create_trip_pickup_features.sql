CREATE TABLE IF NOT EXISTS trip_pickup_features (
  pickup_zip INT NOT NULL,
  rounded_pickup_datetime TIMESTAMP NOT NULL,
  count_trips_window_1h_pickup_zip INT,
  mean_fare_window_7d_pickup_zip DOUBLE,
  mean_fare_per_mile_window_7d_pickup_zip DOUBLE,
  pickup_hour INT,
  pickup_is_weekend INT,
  CONSTRAINT trip_pickup_features_key PRIMARY KEY (pickup_zip, rounded_pickup_datetime)
)
TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')
