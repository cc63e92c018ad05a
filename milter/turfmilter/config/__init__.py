"""Text in, one frozen Config out; the schema is also the documentation."""
