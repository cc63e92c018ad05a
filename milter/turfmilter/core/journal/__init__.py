"""What the journal keeps: each transaction with all facts that the Judge was given, and what it decided."""
