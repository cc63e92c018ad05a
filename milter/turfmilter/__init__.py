"""turfmilter: connection, relay, size and turf control for Postfix and Sendmail."""

__version__ = "0.2.0"
