"""The adapter to the MTA: the only package that imports pymilter, and the SMTP client for released messages."""
