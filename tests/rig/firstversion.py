"""A quarantine, with ledger, index and status file, that the first version of the program has written.

The archive is never made again: what a release of the program has written stays as it is.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from rig.filter import give

_ARCHIVE = Path(__file__).parents[1] / "fixtures" / "quarantine-of-the-first-version.tar.gz"

# What each of the messages is there for.
UNREVIEWED = "2qqkmc-avwkpc"
NULL_SENDER_WITH_PARAMETER = "2qqkmc-bq6gqc"
NULL_SENDER = "2qqkmc-05rr86"
REVIEWED = "2qqkmc-dgvw92"
RELEASED = "2qqkmc-16cmrr"
PARTLY_RELEASED = "2qqkmc-3hpwe3"
UNKNOWN = "2qqkmc-j774x0"
DELETED = "2qqkmc-hxszgd"
UNDELETED = "2qqkmc-tq8vdj"
EXPIRED = "2qqkmc-b2wesd"  # in the ledger alone
ODD_ADDRESSES = "2qqkmc-7gtr8p"
BLANKS_IN_ADDRESSES = "2qqkmc-vy7ts4"
UTF8 = "2qqkmc-q0qydh"
RAW_BYTES = "2qqkmc-jtwdsj"
FORGED_BLOCK = "2qqkmc-7z94ph"
ATTACHMENT = "2qqkmc-nhrrk0"
IPV6_CLIENT = "2qqkmc-dq6b6f"
NO_NAME = "2qqkmc-h0epfm"
LOCAL = "2qqkmc-rngwvw"
BY_HAND = "1764530000.M1P1.host"


def unpack(place: Path) -> tuple[Path, Path]:
    """The quarantine and the status file, unpacked in `place`; the quarantine belongs to the filter's user."""
    shutil.unpack_archive(_ARCHIVE, place)
    quarantine = place / "quarantine"
    for path in (quarantine, *quarantine.rglob("*")):
        path.chmod(0o750 if path.is_dir() else 0o640)
        give(path)
    return quarantine, place / "status.json"
