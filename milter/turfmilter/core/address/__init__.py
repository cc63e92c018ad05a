"""Addresses: how they are spelled, read, and hidden in one another."""
