-- The newest label of each customer, with the features that were known when it was: the newest row at or before it.
SELECT f.*, l.churn, l.split, l.transaction_ts AS labelled_at
FROM (
  SELECT * FROM advanced_churn_label_table
  WHERE churn IS NOT NULL
  QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY transaction_ts DESC) = 1
) AS l
JOIN advanced_churn_feature_table AS f
  ON f.customer_id = l.customer_id AND f.transaction_ts <= l.transaction_ts
QUALIFY row_number() OVER (PARTITION BY l.customer_id ORDER BY f.transaction_ts DESC) = 1
ORDER BY f.customer_id, f.transaction_ts
