"""Customers of a telephone company: features, a churn model in versions, a baseline, and drift detection."""
