-- All customers, as of the newest moment that is known of each.
MERGE INTO advanced_churn_cust_ids AS target
USING (SELECT customer_id, max(transaction_ts) AS transaction_ts FROM churn_customers GROUP BY customer_id) AS source
ON target.customer_id = source.customer_id AND target.transaction_ts = source.transaction_ts
WHEN NOT MATCHED THEN INSERT *
WHEN NOT MATCHED BY SOURCE THEN DELETE
