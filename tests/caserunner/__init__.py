"""Runs the cases of tests/cases against each MTA; tests/cases/README.md tells how they are written."""
