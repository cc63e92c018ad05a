"""Names of files in a quarantine directory: a new id, and the part that tells which host wrote a file."""

from __future__ import annotations

import os
import re
import secrets
from datetime import datetime

from turfmilter.core.held.message import ID_BITS, make_id


def new_id(time: datetime) -> str:
    """Return a new id for a message held at `time`; its second half is 30 random bits."""
    return make_id(time, secrets.randbits(ID_BITS))


def host_name() -> str:
    """Return this host's name as a part of a file name: several hosts may share one quarantine."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", os.uname().nodename)
