"""Runs the daemon for `python -m turfmilter`."""

from turfmilter.cli.turfmilter import main

main(prog_name="turfmilter")
