"""The metrics of this program: their names, labels and meaning.  docs/reference/metrics.md lists the same."""

from __future__ import annotations

from typing import get_args

from turfmilter.core.ports import TimedStage
from turfmilter.telemetry.metric import Histogram, Metric

STAGES: tuple[TimedStage, ...] = get_args(TimedStage)
# Seconds.  A decision takes well under a millisecond; one that waits for DNS takes up to [dns] timeout, 5 s at most.
_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

BUILD = Metric("turfmilter_build_info", "gauge", "Always 1; the version of the program is a label.", ("version",))
WRITTEN = Metric("turfmilter_written_timestamp_seconds", "gauge", "When these metrics were written.")
GENERATION = Metric("turfmilter_generation", "gauge", "Number of the configuration in force.")
LAST_GOOD = Metric("turfmilter_last_good_generation", "gauge", "1 if the copy of the last good generation is in force.")
RELOAD_FAILED = Metric("turfmilter_reload_failed", "gauge", "1 if the files are broken, so that they are not in force.")
RELOADS_FAILED = Metric("turfmilter_reloads_failed_total", "counter", "Reloads that failed.")
CONNECTIONS = Metric("turfmilter_connections_total", "counter", "Clients of the MTA that were reported.", ("listener",))
OPEN = Metric("turfmilter_connections_open", "gauge", "Open connections of the MTA.")
MESSAGES = Metric(
    "turfmilter_messages_total", "counter", "Messages that received a final answer.", ("listener", "verdict")
)
REFUSALS = Metric(
    "turfmilter_refusals_total",
    "counter",
    "Connections, recipients and messages that were rejected or deferred.",
    ("listener", "rule", "verdict"),
)
TRIALS = Metric("turfmilter_trial_total", "counter", "What rules in trial mode would have done.", ("rule", "verdict"))
DURATION = Histogram(
    "turfmilter_stage_duration_seconds",
    "histogram",
    "Time until the answer to RCPT TO, and to the end of the message.",
    ("stage",),
    _BOUNDS,
)
EXCEPTIONS = Metric("turfmilter_exceptions_total", "counter", "Errors in the program; their sessions received 451.")
LINES_DROPPED = Metric("turfmilter_log_lines_dropped_total", "counter", "Lines that the log could not accept.")
WORKERS = Metric("turfmilter_workers", "gauge", "Worker processes.", ("state",))
WORKER_ENDS = Metric("turfmilter_worker_ends_total", "counter", "Worker processes that have ended.", ("reason",))
CPU = Metric("turfmilter_cpu_seconds_total", "counter", "Processor time used by all processes.")
MEMORY = Metric("turfmilter_memory_pss_bytes", "gauge", "Memory of all workers; what they share is counted once.")
LOOKUPS = Metric("turfmilter_dns_lookups_total", "counter", "Clients whose names were looked up in DNS.", ("result",))
CACHE_HITS = Metric("turfmilter_dns_cache_hits_total", "counter", "Clients whose names were known without asking DNS.")
ENTRIES = Metric("turfmilter_table_entries", "gauge", "Entries of a table, by the key that names it.", ("table",))
EXPIRED = Metric("turfmilter_table_expired_entries", "gauge", "Entries of a table that have expired.", ("table",))
HELD = Metric("turfmilter_quarantine_held_total", "counter", "Messages that were held.", ("rule",))
WRITE_DURATION = Histogram(
    "turfmilter_quarantine_write_duration_seconds",
    "histogram",
    "Time until a held message was safe on disk, from its end.",
    (),
    _BOUNDS,
)
WRITE_ERRORS = Metric(
    "turfmilter_quarantine_write_errors_total", "counter", "Messages that could not be held, deferred.", ("reason",)
)
HELD_NOW = Metric("turfmilter_quarantine_messages", "gauge", "Messages in all quarantines.", ("state",))
BYTES = Metric("turfmilter_quarantine_bytes", "gauge", "Size of the messages in all quarantines.")
FREE_BYTES = Metric("turfmilter_quarantine_free_bytes", "gauge", "Free space of the quarantine that has least.")
FREE_INODES = Metric("turfmilter_quarantine_free_inodes", "gauge", "Free inodes of the quarantine that has fewest.")
OLDEST = Metric(
    "turfmilter_quarantine_oldest_unreviewed_timestamp_seconds",
    "gauge",
    "When the oldest unreviewed message was held.",
)
FULL = Metric("turfmilter_quarantine_full", "gauge", "1 if a quarantine has no room: messages to be held receive 452.")
RELEASES = Metric("turfmilter_releases_total", "counter", "Releases of held messages, by their result.", ("outcome",))
JOURNAL_LINES = Metric("turfmilter_journal_lines_total", "counter", "Transactions that were written to the journal.")
JOURNAL_DROPPED = Metric(
    "turfmilter_journal_lines_dropped_total",
    "counter",
    "Transactions that the journal lacks, because the queue or the disk had no room.",
    ("reason",),
)
JOURNAL_BYTES = Metric("turfmilter_journal_bytes", "gauge", "Size of the journal.")
NAT = Metric("turfmilter_clients_behind_nat", "gauge", "Clients that may relay and make most of the connections.")

METRICS = (
    BUILD,
    WRITTEN,
    GENERATION,
    LAST_GOOD,
    RELOAD_FAILED,
    RELOADS_FAILED,
    CONNECTIONS,
    OPEN,
    MESSAGES,
    REFUSALS,
    TRIALS,
    DURATION,
    EXCEPTIONS,
    LINES_DROPPED,
    WORKERS,
    WORKER_ENDS,
    CPU,
    MEMORY,
    LOOKUPS,
    CACHE_HITS,
    ENTRIES,
    EXPIRED,
    HELD,
    WRITE_DURATION,
    WRITE_ERRORS,
    HELD_NOW,
    BYTES,
    FREE_BYTES,
    FREE_INODES,
    OLDEST,
    FULL,
    RELEASES,
    JOURNAL_LINES,
    JOURNAL_DROPPED,
    JOURNAL_BYTES,
    NAT,
)
