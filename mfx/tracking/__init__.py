"""Results to MLflow, or to a plain console."""
