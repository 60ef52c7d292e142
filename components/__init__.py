"""ML serving on Databricks as Pulumi components: online features, serving endpoints, monitors."""
