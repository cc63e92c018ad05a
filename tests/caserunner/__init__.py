"""Runs the cases of tests/cases against each MTA; tests/cases/README.md describes how they are written."""
