-- Each label with the features that were known when it was: the newest row at or before it.
SELECT f.*, l.churn, l.split
FROM advanced_churn_label_table AS l
JOIN advanced_churn_feature_table AS f
  ON f.customer_id = l.customer_id AND f.transaction_ts <= l.transaction_ts
QUALIFY row_number() OVER (PARTITION BY l.customer_id, l.transaction_ts ORDER BY f.transaction_ts DESC) = 1
ORDER BY f.customer_id, f.transaction_ts
