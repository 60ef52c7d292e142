INSERT INTO advanced_churn_baseline
SELECT f.transaction_ts, :model, f.customer_id, f.transaction_ts, f.senior_citizen, f.contract, f.monthly_charges,
  answers.prediction, l.churn
FROM (
  SELECT split_part(line, '|', 1) AS customer_id, split_part(line, '|', 2) AS prediction
  FROM (SELECT explode(split(:rows, ';')) AS line)
) AS answers
JOIN advanced_churn_label_table AS l ON l.customer_id = answers.customer_id
JOIN advanced_churn_feature_table AS f ON f.customer_id = l.customer_id AND f.transaction_ts = l.transaction_ts
