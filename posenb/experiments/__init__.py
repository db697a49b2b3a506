"""What is measured on runs, beyond their own metrics: one file an experiment."""
