-- What the monitor compares with: the table of unpacked requests, less what only a request has.
CREATE TABLE IF NOT EXISTS advanced_churn_baseline (
  inference_timestamp TIMESTAMP,
  model_version STRING,
  customer_id STRING,
  transaction_ts TIMESTAMP,
  senior_citizen STRING,
  contract STRING,
  monthly_charges DOUBLE,
  prediction STRING,
  churn STRING
)
