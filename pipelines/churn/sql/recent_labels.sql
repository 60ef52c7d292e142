-- Every label since a moment of customers that no model was trained on, with the features that were known when it was.
SELECT f.*, l.churn, l.transaction_ts AS labelled_at
FROM advanced_churn_label_table AS l
JOIN advanced_churn_feature_table AS f
  ON f.customer_id = l.customer_id AND f.transaction_ts <= l.transaction_ts
WHERE l.churn IS NOT NULL AND l.split <> 'train' AND l.transaction_ts >= CAST(:since AS TIMESTAMP)
QUALIFY row_number() OVER (PARTITION BY l.customer_id, l.transaction_ts ORDER BY f.transaction_ts DESC) = 1
ORDER BY f.customer_id, l.transaction_ts
