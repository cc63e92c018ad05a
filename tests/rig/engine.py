"""The protocol engine with which the tests run the filter: TURFMILTER_ENGINE=auto, the default, libmilter or loop."""

from __future__ import annotations

import os

from turfmilter.config.schema import ProtocolEngine
from turfmilter.mta.engines import choose

WANTED = ProtocolEngine(os.environ.get("TURFMILTER_ENGINE", "auto"))  # what the configuration says
ENGINE = choose(WANTED).engine  # what serves

# What only one of them says.  pymilter has an answer and a sentence of its own for text that is not UTF-8.
_LIBMILTER = ENGINE is ProtocolEngine.LIBMILTER
UNSHOWN = (
    "pymilter: untrapped exception in turfmilter"
    if _LIBMILTER
    else "temporary error in the mail filter, try again later"
)
SPEAKER = "pymilter" if _LIBMILTER else "milter protocol"  # in the log
