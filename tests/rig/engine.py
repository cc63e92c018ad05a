"""The protocol engine with which the tests run the filter: TURFMILTER_ENGINE=libmilter, the default, or loop."""

from __future__ import annotations

import os

from turfmilter.config.schema import ProtocolEngine

ENGINE = ProtocolEngine(os.environ.get("TURFMILTER_ENGINE", "libmilter"))

# What only one of them says.  pymilter has an answer and a sentence of its own for text that is not UTF-8.
_LIBMILTER = ENGINE is ProtocolEngine.LIBMILTER
UNSHOWN = (
    "pymilter: untrapped exception in turfmilter"
    if _LIBMILTER
    else "temporary error in the mail filter, try again later"
)
SPEAKER = "pymilter" if _LIBMILTER else "milter protocol"  # in the log
