"""Audits and other sentences that can be false, as Dagster's asset checks."""
