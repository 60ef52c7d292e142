MERGE INTO advanced_churn_label_table AS target
USING (SELECT customer_id, transaction_ts, churn, split FROM churn_customers) AS source
ON target.customer_id = source.customer_id AND target.transaction_ts = source.transaction_ts
WHEN MATCHED AND NOT (target.churn <=> source.churn AND target.split <=> source.split) THEN UPDATE SET *
WHEN NOT MATCHED THEN INSERT *
WHEN NOT MATCHED BY SOURCE AND target.transaction_ts = CAST(:transaction_ts AS TIMESTAMP) THEN DELETE
