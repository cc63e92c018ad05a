"""The adapter to the MTA: the only floor that knows pymilter."""
