"""Rows of one table from rows of the one before it, as Arrow batches.

Readings → scalograms → predictions → device_days, for any number of whole devices of one date, and hourly means of the
dates before → what each device should give; a module for each. Spark jobs and `pvfault classify` call the same
functions, so that the same readings get the same verdict either way.
"""
