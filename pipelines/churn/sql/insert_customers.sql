-- Many customers in one text parameter, fields parted by | and customers by ; (a statement of a thousand VALUES takes a
-- parser longer than everything else). Total charges are blank for a customer of no full month yet.
INSERT INTO churn_customers
SELECT
  split_part(line, '|', 1) AS customer_id,
  split_part(line, '|', 2) AS gender,
  CASE WHEN split_part(line, '|', 3) = '1' THEN 'Yes' ELSE 'No' END AS senior_citizen,
  split_part(line, '|', 4) AS partner,
  split_part(line, '|', 5) AS dependents,
  CAST(split_part(line, '|', 6) AS DOUBLE) AS tenure,
  split_part(line, '|', 7) AS phone_service,
  split_part(line, '|', 8) AS multiple_lines,
  split_part(line, '|', 9) AS internet_service,
  split_part(line, '|', 10) AS online_security,
  split_part(line, '|', 11) AS online_backup,
  split_part(line, '|', 12) AS device_protection,
  split_part(line, '|', 13) AS tech_support,
  split_part(line, '|', 14) AS streaming_tv,
  split_part(line, '|', 15) AS streaming_movies,
  split_part(line, '|', 16) AS contract,
  split_part(line, '|', 17) AS paperless_billing,
  split_part(line, '|', 18) AS payment_method,
  CAST(split_part(line, '|', 19) AS DOUBLE) AS monthly_charges,
  CAST(nullif(split_part(line, '|', 20), '') AS DOUBLE) AS total_charges,
  split_part(line, '|', 21) AS churn,
  split_part(line, '|', 22) AS split,
  CAST(:transaction_ts AS TIMESTAMP) AS transaction_ts
FROM (SELECT explode(split(:rows, ';')) AS line)
