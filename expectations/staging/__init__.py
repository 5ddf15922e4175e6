"""What is expected of the staging tables, after bad rows went to quarantine: one module a channel."""
