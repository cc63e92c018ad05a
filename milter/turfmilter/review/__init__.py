"""The administrator's use-cases on the quarantine."""
