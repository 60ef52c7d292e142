-- One row a decision and one a retraining; docs/loop.md says what the columns mean. Rows are only ever added.
CREATE TABLE IF NOT EXISTS advanced_churn_drift_decisions (
  decided_at TIMESTAMP,
  event STRING,
  model STRING,
  outcome STRING,
  reasons STRING,
  explanation STRING,
  retrain BOOLEAN,
  all_violations_count INT,
  violations_found INT,
  windows INT,
  first_window TIMESTAMP,
  last_window TIMESTAMP,
  since TIMESTAMP,
  violating STRING,
  policy STRING,
  version STRING,
  compared_with STRING,
  measured STRING,
  run_id STRING
)
TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')
