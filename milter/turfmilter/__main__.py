"""python -m turfmilter: the daemon."""

from turfmilter.cli.turfmilter import main

main(prog_name="turfmilter")
