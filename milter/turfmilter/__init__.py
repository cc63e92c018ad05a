"""turfmilter: connection, relay, size and turf control for Postfix and Sendmail."""

__version__ = "0.1.0"
