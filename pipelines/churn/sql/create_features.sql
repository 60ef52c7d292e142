-- The label is not here, and so cannot be looked up into a model.
CREATE TABLE IF NOT EXISTS advanced_churn_feature_table (
  customer_id STRING NOT NULL,
  transaction_ts TIMESTAMP NOT NULL,
  gender STRING,
  senior_citizen STRING,
  partner STRING,
  dependents STRING,
  tenure DOUBLE,
  phone_service STRING,
  multiple_lines STRING,
  internet_service STRING,
  online_security STRING,
  online_backup STRING,
  device_protection STRING,
  tech_support STRING,
  streaming_tv STRING,
  streaming_movies STRING,
  contract STRING,
  paperless_billing STRING,
  payment_method STRING,
  monthly_charges DOUBLE,
  total_charges DOUBLE,
  num_optional_services DOUBLE,
  avg_price_increase DOUBLE,
  CONSTRAINT advanced_churn_feature_table_key PRIMARY KEY (customer_id, transaction_ts TIMESERIES)
)
TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')
