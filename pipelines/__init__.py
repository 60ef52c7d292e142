"""What runs inside a workspace: features, training and registration, reached through databricks-sdk and mlflow only."""
