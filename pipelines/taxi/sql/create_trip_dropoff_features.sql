CREATE TABLE IF NOT EXISTS trip_dropoff_features (
  dropoff_zip INT NOT NULL,
  rounded_dropoff_datetime TIMESTAMP NOT NULL,
  count_trips_window_1h_dropoff_zip INT,
  count_pickup_zips_window_7d_dropoff_zip INT,
  mean_fare_window_7d_dropoff_zip DOUBLE,
  dropoff_is_weekend INT,
  CONSTRAINT trip_dropoff_features_key PRIMARY KEY (dropoff_zip, rounded_dropoff_datetime)
)
TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')
