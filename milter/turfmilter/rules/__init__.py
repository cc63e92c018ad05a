"""The rules.  policies.py tells in which order they decide."""
