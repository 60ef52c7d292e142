-- One row a customer and moment; rows of other moments stay. A price increase is what a month costs now, less what one has cost on average.
MERGE INTO advanced_churn_feature_table AS target
USING (
  SELECT
    customer_id,
    transaction_ts,
    gender,
    senior_citizen,
    partner,
    dependents,
    tenure,
    phone_service,
    multiple_lines,
    internet_service,
    online_security,
    online_backup,
    device_protection,
    tech_support,
    streaming_tv,
    streaming_movies,
    contract,
    paperless_billing,
    payment_method,
    monthly_charges,
    coalesce(total_charges, 0.0) AS total_charges,
    CAST(
      CASE WHEN online_security = 'Yes' THEN 1 ELSE 0 END
      + CASE WHEN online_backup = 'Yes' THEN 1 ELSE 0 END
      + CASE WHEN device_protection = 'Yes' THEN 1 ELSE 0 END
      + CASE WHEN tech_support = 'Yes' THEN 1 ELSE 0 END
      + CASE WHEN streaming_tv = 'Yes' THEN 1 ELSE 0 END
      + CASE WHEN streaming_movies = 'Yes' THEN 1 ELSE 0 END AS DOUBLE
    ) AS num_optional_services,
    CASE WHEN tenure > 0 THEN round(monthly_charges - coalesce(total_charges, 0.0) / tenure, 6) ELSE 0.0 END
      AS avg_price_increase
  FROM churn_customers
) AS source
ON target.customer_id = source.customer_id AND target.transaction_ts = source.transaction_ts
WHEN MATCHED AND NOT (
  target.gender <=> source.gender
  AND target.senior_citizen <=> source.senior_citizen
  AND target.partner <=> source.partner
  AND target.dependents <=> source.dependents
  AND target.tenure <=> source.tenure
  AND target.phone_service <=> source.phone_service
  AND target.multiple_lines <=> source.multiple_lines
  AND target.internet_service <=> source.internet_service
  AND target.online_security <=> source.online_security
  AND target.online_backup <=> source.online_backup
  AND target.device_protection <=> source.device_protection
  AND target.tech_support <=> source.tech_support
  AND target.streaming_tv <=> source.streaming_tv
  AND target.streaming_movies <=> source.streaming_movies
  AND target.contract <=> source.contract
  AND target.paperless_billing <=> source.paperless_billing
  AND target.payment_method <=> source.payment_method
  AND target.monthly_charges <=> source.monthly_charges
  AND target.total_charges <=> source.total_charges
  AND target.num_optional_services <=> source.num_optional_services
  AND target.avg_price_increase <=> source.avg_price_increase
) THEN UPDATE SET *
WHEN NOT MATCHED THEN INSERT *
WHEN NOT MATCHED BY SOURCE AND target.transaction_ts = CAST(:transaction_ts AS TIMESTAMP) THEN DELETE
