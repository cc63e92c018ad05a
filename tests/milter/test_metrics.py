"""The metrics file of a real daemon: what it counts, for how long, and that writing it does no harm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rig import wait
from rig.dnsserver import Conduct, DnsServer
from rig.filter import Filter, Filters, give
from rig.program import ENVIRONMENT, configured, running
from rig.prom import read
from rig.promtool import promtool
from rig.zone import named
from turfmilter.telemetry.metrics import METRICS

SETTINGS = """
workers = 2
metrics = "{place}/turfmilter.prom"
domains = ["rig.test"]
[relay]
mode = "trial"
[connect]
deny = ["192.0.2.66"]
[limits]
recipients_per_message = 2
[turf]
tables = ["@turf.test", "@old.test expires=2026-01-01"]
directory = "{quarantine}"
[listener.submission]
port = 587
require_auth = true
"""
Samples = dict[str, float]


class Metrics:
    """The metrics file of a filter."""

    def __init__(self, turf: Filter, path: Path) -> None:
        self.turf = turf
        self.path = path

    def wait_for(self, name: str, value: float) -> Samples:
        """All samples, once the one with this name and these labels has this value."""
        seen: list[Samples] = []

        def arrived() -> Samples | None:
            seen[:] = [read(self.path.read_text())] if self.path.exists() else [{}]
            return seen[0] if seen[0].get(name) == value else None

        return wait.until(arrived, lambda: f"{name} {value}, found {seen[0].get(name)}\n{self.turf.daemon.log()}") or {}


def of(turf: Filter) -> Metrics:
    return Metrics(turf, turf.config.parent / "turfmilter.prom")


def with_metrics(own_filter: Filters, place: Path, settings: str = SETTINGS) -> Metrics:
    return of(own_filter(settings.replace("{place}", str(place))))


def spam(turf: Filter, *, port: int = 40000) -> str:
    with turf.session(port=port) as client:
        return str(client.message("<spam@turf.test>", ["<b@rig.test>"]).end)


def test_it_counts_what_became_of_connections_recipients_and_messages(own_filter: Filters, place: Path) -> None:
    metrics = with_metrics(own_filter, place)
    turf = metrics.turf
    with turf.session() as client:
        assert str(client.message("<a@out.test>", ["<b@rig.test>"]).end) == "accept"
        assert str(client.message("<a@out.test>", ["<b@elsewhere.test>"]).end) == "accept"
        told = client.message("<a@out.test>", ["<b@rig.test>", "<c@rig.test>", "<d@rig.test>"])
        assert [str(one)[0] for one in told.rcpts] == ["c", "c", "4"]
    assert spam(turf) == "discard"
    seen = metrics.wait_for("turfmilter_connections_open", 0)
    seen = metrics.wait_for('turfmilter_messages_total{listener="",verdict="hold"}', 1)
    seen = metrics.wait_for('turfmilter_connections_total{listener=""}', 2)
    assert seen['turfmilter_messages_total{listener="",verdict="accept"}'] == 3
    assert seen['turfmilter_trial_total{rule="relay",verdict="reject"}'] == 1
    assert sum(value for name, value in seen.items() if name.startswith("turfmilter_refusals_total{")) == 1
    assert seen['turfmilter_quarantine_held_total{rule="turf"}'] == 1
    assert seen["turfmilter_quarantine_write_duration_seconds_count"] == 1
    assert seen["turfmilter_quarantine_write_duration_seconds_sum"] > 0
    assert seen['turfmilter_stage_duration_seconds_count{stage="rcpt"}'] == 6
    assert seen['turfmilter_stage_duration_seconds_count{stage="end"}'] == 1, "the others were accepted before"
    assert seen['turfmilter_connections_total{listener="submission"}'] == 0
    assert seen['turfmilter_workers{state="serving"}'] == 2
    assert (seen['turfmilter_table_entries{table="turf"}'], seen['turfmilter_table_expired_entries{table="turf"}']) == (
        2,
        1,
    )
    assert seen["turfmilter_cpu_seconds_total"] > 0 < seen["turfmilter_memory_pss_bytes"]
    assert seen["turfmilter_quarantine_free_bytes"] > 0
    assert seen["turfmilter_exceptions_total"] == seen["turfmilter_log_lines_dropped_total"] == 0
    assert (seen["turfmilter_generation"], seen["turfmilter_reload_failed"]) == (1, 0)


def test_listeners_and_their_rules_are_counted_apart(own_filter: Filters, place: Path) -> None:
    metrics = with_metrics(own_filter, place)
    with metrics.turf.session(macros={"{daemon_port}": "587"}) as client:
        client.message("<a@out.test>", ["<b@rig.test>"])
    name = 'turfmilter_refusals_total{listener="submission",rule="require_auth",verdict="reject"}'
    assert metrics.wait_for(name, 1)['turfmilter_connections_total{listener="submission"}'] == 1


def test_it_is_as_prometheus_wants_it_and_others_may_read_it(own_filter: Filters, place: Path) -> None:
    metrics = with_metrics(own_filter, place)
    spam(metrics.turf)
    metrics.wait_for('turfmilter_messages_total{listener="",verdict="hold"}', 1)
    text = metrics.path.read_text()
    assert promtool("check", "metrics", given=text) == ""
    assert metrics.path.stat().st_mode & 0o777 == 0o644
    for never in ("turf.test", "rig.test", "192.0.2", "spam", "client.out"):
        assert never not in text


def test_every_metric_is_written_once_it_can_be(own_filter: Filters, place: Path) -> None:
    (place / "journal").mkdir()
    give(place / "journal")
    settings = f'{SETTINGS}[journal]\ndirectory = "{place}/journal"\n'
    metrics = with_metrics(own_filter, place, settings.replace("port = 587", "port = 588"))
    turf = metrics.turf
    with turf.session() as client:
        client.message("<a@out.test>", ["<b@elsewhere.test>", "<c@rig.test>", "<d@rig.test>"])
    spam(turf)
    turf.configure(settings.replace("{place}", str(place)))
    turf.reload()
    metrics.wait_for("turfmilter_quarantine_bytes", sum(one.stat().st_size for one in turf.quarantine.glob("new/*")))
    text = metrics.path.read_text()
    assert [metric.name for metric in METRICS if f"# TYPE {metric.name} {metric.kind}\n" not in text] == []


def test_the_counts_of_workers_that_were_killed_or_replaced_remain(own_filter: Filters, place: Path) -> None:
    metrics = with_metrics(own_filter, place)
    turf = metrics.turf
    name = 'turfmilter_messages_total{listener="",verdict="hold"}'
    for _ in range(5):
        spam(turf)
    before = metrics.wait_for(name, 5)
    killed = turf.daemon.workers()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    after = metrics.wait_for('turfmilter_worker_ends_total{reason="died"}', len(killed))
    assert after[name] == 5
    for counter in (name for name in before if "_total" in name or name.endswith(("_count", "_sum"))):
        assert after[counter] >= before[counter], counter
    turf.wait_for_status(lambda seen: [one["state"] for one in seen["workers"]] == ["serving", "serving"])
    spam(turf)
    metrics.wait_for(name, 6)


def test_the_last_counts_of_a_worker_that_ends_are_not_lost(own_filter: Filters, place: Path) -> None:
    metrics = with_metrics(own_filter, place, SETTINGS.replace("workers = 2", "workers = 1\nworker_sessions = 3"))
    for _ in range(10):
        spam(metrics.turf)
    seen = metrics.wait_for('turfmilter_messages_total{listener="",verdict="hold"}', 10)
    assert seen['turfmilter_connections_total{listener=""}'] == 10
    metrics.turf.wait_for_status(lambda seen: len(seen["workers"]) == 1)
    seen = metrics.wait_for('turfmilter_workers{state="draining"}', 0)
    assert seen['turfmilter_worker_ends_total{reason="replaced"}'] >= 1
    assert seen['turfmilter_worker_ends_total{reason="died"}'] == 0


def test_a_reload_keeps_the_counts_and_a_failed_one_shows(own_filter: Filters, place: Path) -> None:
    metrics = with_metrics(own_filter, place)
    turf = metrics.turf
    spam(turf)
    turf.configure(SETTINGS.replace("{place}", str(place)) + "nonsense = 1\n")
    turf.reload()
    seen = metrics.wait_for("turfmilter_reload_failed", 1)
    assert (seen["turfmilter_reloads_failed_total"], seen["turfmilter_generation"]) == (1, 1)
    turf.configure(
        SETTINGS.replace("{place}", str(place)).replace("[limits]\n", '[reverse_name]\nmode = "off"\n[limits]\n')
    )
    turf.reload()
    seen = metrics.wait_for("turfmilter_generation", 2)
    assert (seen["turfmilter_reload_failed"], seen["turfmilter_reloads_failed_total"]) == (0, 1)
    seen = metrics.wait_for('turfmilter_worker_ends_total{reason="reload"}', 2)
    assert seen['turfmilter_messages_total{listener="",verdict="hold"}'] == 1


def test_lookups_are_counted_by_their_result(own_filter: Filters, place: Path) -> None:
    with DnsServer() as dns:
        dns.add(named("192.0.2.9", "client.out.test"))
        dns.tell(Conduct.SERVFAIL, "7.2.0.192.in-addr.arpa", "PTR")
        settings = SETTINGS.replace('deny = ["192.0.2.66"]', 'deny = ["bad.test"]')
        metrics = with_metrics(
            own_filter, place, settings + f'[dns]\nnameservers = ["{dns.address[0]}:{dns.address[1]}"]\n'
        )
        for address in ("192.0.2.9", "192.0.2.9", "192.0.2.7"):
            with metrics.turf.session(f"[{address}]", address) as client:
                client.message("<a@out.test>", ["<b@rig.test>"])
        seen = metrics.wait_for('turfmilter_dns_lookups_total{result="failed"}', 1)
        lookups, hits = seen['turfmilter_dns_lookups_total{result="answered"}'], seen["turfmilter_dns_cache_hits_total"]
        assert (lookups + hits, hits <= 1) == (2, True), "each worker has a cache of its own"


def test_a_full_quarantine_and_what_could_not_be_held_show(own_filter: Filters, place: Path) -> None:
    metrics = with_metrics(
        own_filter, place, SETTINGS.replace("workers = 2", "workers = 1") + '[quarantine]\nmax_size = "1 KiB"\n'
    )
    turf = metrics.turf
    with turf.session() as client:
        client.message("<spam@turf.test>", ["<b@rig.test>"], body=b"x" * 2000)
    turf.configure(SETTINGS.replace("{place}", str(place)) + '[quarantine]\nmax_size = "2 KiB"\n')
    turf.reload()
    seen = metrics.wait_for("turfmilter_quarantine_full", 1)
    assert seen['turfmilter_quarantine_messages{state="unreviewed"}'] == 1
    assert (
        seen["turfmilter_quarantine_oldest_unreviewed_timestamp_seconds"]
        <= seen["turfmilter_written_timestamp_seconds"]
    )
    turf.wait_for_generation(2)
    assert spam(turf).startswith("452")
    seen = metrics.wait_for('turfmilter_quarantine_write_errors_total{reason="full"}', 1)
    assert seen['turfmilter_messages_total{listener="",verdict="tempfail"}'] == 1


def turfctl(turf: Filter, *arguments: str) -> str:
    command = "from turfmilter.cli.turfctl import main; main(prog_name='turfctl')"
    done = subprocess.run(
        [sys.executable, "-c", command, "-c", turf.config, "status", *arguments],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_turfctl_prints_the_same(own_filter: Filters, place: Path) -> None:
    metrics = with_metrics(own_filter, place)
    spam(metrics.turf)
    metrics.wait_for('turfmilter_messages_total{listener="",verdict="hold"}', 1)
    metrics.turf.wait_for_status(lambda seen: seen["metrics"]['turfmilter_messages_total{listener="",verdict="hold"}'])
    os.kill(metrics.turf.daemon.process.pid, signal.SIGSTOP)  # both files stay as they are
    try:
        assert turfctl(metrics.turf, "--prometheus") == metrics.path.read_text()
    finally:
        os.kill(metrics.turf.daemon.process.pid, signal.SIGCONT)


def test_turfctl_prints_them_although_no_file_is_configured(own_filter: Filters, place: Path) -> None:
    turf = own_filter(SETTINGS.replace('metrics = "{place}/turfmilter.prom"\n', ""))
    turf.wait_for_status(bool)
    assert promtool("check", "metrics", given=turfctl(turf, "--prometheus")) == ""
    assert not (place / "turfmilter.prom").exists()


def test_it_is_removed_when_the_daemon_stops(own_filter: Filters, place: Path) -> None:
    metrics = with_metrics(own_filter, place)
    metrics.wait_for("turfmilter_generation", 1)
    assert metrics.turf.daemon.stop() == 0
    assert not metrics.path.exists()


@pytest.mark.parametrize("name", ["turfmilter.prom", ".turfmilter.prom.{pid}"])
def test_a_link_in_its_place_is_replaced_and_not_followed(own_filter: Filters, place: Path, name: str) -> None:
    metrics = with_metrics(own_filter, place)
    metrics.wait_for("turfmilter_generation", 1)
    victim, link = place / "victim", place / name.format(pid=metrics.turf.daemon.process.pid)
    victim.write_text("precious")
    victim.chmod(0o666)
    link.unlink(missing_ok=True)
    link.symlink_to(victim)
    wait.until(lambda: not metrics.path.is_symlink() and not link.is_symlink(), "the next metrics")
    assert victim.read_text() == "precious"


def test_in_a_directory_of_another_user_it_is_reported_once_and_mail_goes_on(own_filter: Filters, place: Path) -> None:
    theirs = place / "theirs"
    theirs.mkdir(mode=0o555)
    turf = own_filter(SETTINGS.replace("{place}", str(theirs)), "text")
    said = f"warning: metrics: {theirs}/turfmilter.prom cannot be written: Permission denied"
    turf.daemon.wait_for_log(said)
    assert spam(turf) == "discard"
    first = turf.status()["written"]
    turf.wait_for_status(lambda seen: seen["written"] > first and seen["metrics"])
    assert list(theirs.iterdir()) == []
    assert turf.daemon.log().count("metrics: ") == 1


def test_a_missing_directory_is_reported_until_it_is_there(place: Path) -> None:
    path = configured(place)
    path.write_text(f'metrics = "{place}/missing/m.prom"\n{path.read_text()}')
    with running(place, "-c", path):
        said = f"warning: metrics: {place}/missing/m.prom cannot be written: No such file or directory"
        wait.until(lambda: said in (place / "log").read_text(), "the problem")
        (place / "missing").mkdir(mode=0o777)
        (place / "missing").chmod(0o777)
        wait.until(lambda: (place / "missing/m.prom").exists(), "the metrics")
    assert (place / "log").read_text().count("metrics: ") == 1
