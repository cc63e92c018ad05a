"""Metrics as values: how they are counted, added and written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from threading import Thread

import pytest

from rig.prom import read
from turfmilter.core.finding import REFUSALS
from turfmilter.core.report import Trial
from turfmilter.daemon.fleet import End, Process
from turfmilter.daemon.measures import FINAL, LOOKUP_RESULTS
from turfmilter.review.stocktaking import BY_FLAGS, OUTCOMES
from turfmilter.telemetry import metrics as m
from turfmilter.telemetry.metric import Histogram, Key, Metric, add, exposition, sampled
from turfmilter.telemetry.tally import Tally

EATEN = Metric("eaten_total", "counter", "What was eaten.", ("meal", "dish"))
OVEN = Metric("oven_celsius", "gauge", "How hot it is.")
WAIT = Histogram("wait_seconds", "histogram", "How long it took.", ("meal",), (0.5, 1.0))
ALL = (EATEN, OVEN, WAIT)


def text(numbers: dict[Key, float]) -> str:
    return exposition(ALL, sampled(ALL, numbers))


def test_metrics_are_written_in_their_order_each_with_its_help_and_type() -> None:
    assert text({("oven_celsius",): 180.5, ("eaten_total", "lunch", "soup"): 2, ("eaten_total", "", "tea"): 1}) == (
        "# HELP eaten_total What was eaten.\n"
        "# TYPE eaten_total counter\n"
        'eaten_total{meal="",dish="tea"} 1\n'
        'eaten_total{meal="lunch",dish="soup"} 2\n'
        "# HELP oven_celsius How hot it is.\n"
        "# TYPE oven_celsius gauge\n"
        "oven_celsius 180.5\n"
    )


def test_what_has_no_number_is_left_out() -> None:
    assert text({}) == ""


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ('a"b', r"a\"b"),
        ("a\\b", r"a\\b"),
        ("a\nb", r"a\nb"),
        (r"a\n", r"a\\n"),
        ("é\u202e", "é\u202e"),
        ("{,}=", "{,}="),
    ],
)
def test_the_value_of_a_label_is_escaped(value: str, written: str) -> None:
    assert f'eaten_total{{meal="{written}",dish="x"}} 1\n' in text({("eaten_total", value, "x"): 1})


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (True, "1"), (2.0, "2"), (1e18, "1000000000000000000"), (0.1, "0.1"), (1e-7, "1e-07")],
)
def test_numbers_are_written_as_prometheus_reads_them(value: float, written: str) -> None:
    assert text({("oven_celsius",): value}).endswith(f"oven_celsius {written}\n")


def test_a_histogram_has_cumulative_buckets_which_include_their_bounds() -> None:
    numbers: dict[Key, float] = {}
    for observed in (0.1, 0.5, 0.7, 1.0, 7.0):
        keys = WAIT.keys("lunch")
        add({keys[WAIT.bucket(observed)]: 1, keys[-1]: observed}, numbers)
    assert read(text(numbers)) == {
        'wait_seconds_bucket{meal="lunch",le="0.5"}': 2,
        'wait_seconds_bucket{meal="lunch",le="1"}': 4,
        'wait_seconds_bucket{meal="lunch",le="+Inf"}': 5,
        'wait_seconds_sum{meal="lunch"}': pytest.approx(9.3),
        'wait_seconds_count{meal="lunch"}': 5,
    }


def test_the_samples_survive_json() -> None:
    samples = sampled(ALL, {("oven_celsius",): 0.1, ("eaten_total", 'a"\n', "x"): 3})
    assert exposition(ALL, json.loads(json.dumps(samples))) == exposition(ALL, samples)


def test_numbers_are_added_key_by_key() -> None:
    numbers: dict[Key, float] = {("a",): 1, ("b",): 2}
    add({("a",): 3, ("c",): 4}, numbers)
    assert numbers == {("a",): 4, ("b",): 2, ("c",): 4}


def test_a_tally_counts_what_it_is_told() -> None:
    tally = Tally()
    tally.connected("submission")
    tally.refused("", "relay", "reject")
    tally.answered("", "hold")
    tally.tried([Trial("relay", "reject", recipient="c@elsewhere.test"), Trial("unreadable_author", "hold")])
    tally.took("rcpt", 0.0004)
    tally.held("turf", 0.03)
    tally.not_held(full=True)
    tally.failed()
    numbers: dict[Key, float] = {}
    reported = [(tuple(map(str, key)), float(number)) for *key, number in json.loads(json.dumps(tally.report()))]
    add(dict(reported), numbers)
    samples = sampled(m.METRICS, numbers)
    seen = {
        name: value for name, value in samples.items() if value and not name.endswith(("_sum", '_sum{stage="rcpt"}'))
    }
    assert {name: value for name, value in seen.items() if "_bucket" not in name} == {
        'turfmilter_connections_total{listener="submission"}': 1,
        'turfmilter_messages_total{listener="",verdict="hold"}': 1,
        'turfmilter_refusals_total{listener="",rule="relay",verdict="reject"}': 1,
        'turfmilter_trial_total{rule="relay",verdict="reject"}': 1,
        'turfmilter_trial_total{rule="unreadable_author",verdict="hold"}': 1,
        'turfmilter_stage_duration_seconds_count{stage="rcpt"}': 1,
        "turfmilter_exceptions_total": 1,
        'turfmilter_quarantine_held_total{rule="turf"}': 1,
        "turfmilter_quarantine_write_duration_seconds_count": 1,
        'turfmilter_quarantine_write_errors_total{reason="full"}': 1,
    }
    assert samples['turfmilter_stage_duration_seconds_bucket{stage="rcpt",le="0.0005"}'] == 1
    assert samples['turfmilter_quarantine_write_duration_seconds_bucket{le="0.025"}'] == 0
    assert samples["turfmilter_quarantine_write_duration_seconds_sum"] == 0.03


def test_threads_that_count_at_the_same_time_lose_nothing() -> None:
    tally = Tally()

    def count() -> None:
        for _ in range(2000):
            tally.answered("", "accept")
            tally.took("end", 0.001)

    threads = [Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ["turfmilter_messages_total", "", "accept", 16000] in tally.report()


def test_every_name_has_its_unit_and_a_counter_ends_in_total() -> None:
    names = [metric.name for metric in m.METRICS]
    assert len(set(names)) == len(names)
    for metric in m.METRICS:
        assert metric.name.startswith("turfmilter_")
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert metric.name.endswith("_seconds") == (metric.kind == "histogram" or "timestamp" in metric.name)
        assert metric.help.endswith(".") and "\\" not in metric.help and "\n" not in metric.help
        # No label can have the address, the account or the entry of anyone.
        assert set(metric.labels) <= {
            "version",
            "listener",
            "rule",
            "verdict",
            "stage",
            "state",
            "reason",
            "result",
            "table",
            "outcome",
        }


_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
_ROW = re.compile(r"\| `(turfmilter_\w+)` \| (\w+) \| ([^|]*)\| ([^|]+) \|")


def test_the_page_lists_every_metric_with_its_type_and_labels_and_no_other() -> None:
    rows = _ROW.findall(_PAGE.read_text(encoding="utf-8"))
    shown = [(name, kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in rows]
    assert shown == [(metric.name, metric.kind, metric.labels) for metric in m.METRICS]


def test_the_page_names_the_values_of_labels_that_the_program_chooses() -> None:
    text = _PAGE.read_text(encoding="utf-8")
    meanings = {name: meaning for name, _, _, meaning in _ROW.findall(text)}
    chosen = {
        m.WORKERS: Process.STATES,
        m.WORKER_ENDS: [end.value for end in End],
        m.DURATION: m.STAGES,
        m.LOOKUPS: LOOKUP_RESULTS,
        m.MESSAGES: [action.value for action in FINAL],
        m.REFUSALS: [action.value for action in REFUSALS],
        m.RELEASES: OUTCOMES,
        m.HELD_NOW: [state.value for state in BY_FLAGS],
    }
    for metric, values in chosen.items():
        assert [value for value in values if f"`{value}`" not in meanings[metric.name]] == [], metric.name
