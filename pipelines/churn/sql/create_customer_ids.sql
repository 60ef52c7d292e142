-- Whom bulk scoring is asked about, and as of when: what a caller of the endpoint would send.
CREATE TABLE IF NOT EXISTS advanced_churn_cust_ids (
  customer_id STRING NOT NULL,
  transaction_ts TIMESTAMP NOT NULL,
  CONSTRAINT advanced_churn_cust_ids_key PRIMARY KEY (customer_id, transaction_ts)
)
