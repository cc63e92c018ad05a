"""What administrators do with held messages."""
