-- Who left, and which customers a model is judged on.
CREATE TABLE IF NOT EXISTS advanced_churn_label_table (
  customer_id STRING NOT NULL,
  transaction_ts TIMESTAMP NOT NULL,
  churn STRING,
  split STRING,
  CONSTRAINT advanced_churn_label_table_key PRIMARY KEY (customer_id, transaction_ts)
)
