"""contrib/prometheus: alert rules as promtool reads them, and the link for the collector of node_exporter."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from rig.promtool import promtool
from turfmilter.telemetry.metrics import METRICS

ROOT = Path(__file__).parents[2]
CONTRIB = ROOT / "contrib" / "prometheus"
RULES = CONTRIB / "turfmilter.rules.yml"
ALERTS = ROOT / "tests" / "fixtures" / "prometheus" / "alerts.yml"
PAGE = ROOT / "docs" / "howto" / "watch-with-prometheus.md"


def link(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CONTRIB / "link", *arguments], capture_output=True, text=True, check=False)


def alerts() -> list[str]:
    return re.findall(r"- alert: (\w+)", RULES.read_text())


def test_prometheus_accepts_the_rules() -> None:
    assert f"{len(alerts())} rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)


def test_each_alert_fires_for_its_cause_and_none_for_a_filter_that_is_well() -> None:
    promtool("test", "rules", ALERTS)


def test_no_alert_is_left_out_of_that_test_and_of_its_page() -> None:
    for alert in alerts():
        assert re.search(rf"\b{alert}\b", ALERTS.read_text()), alert
        assert f"`{alert}`" in PAGE.read_text(), alert


def test_the_rules_use_metrics_that_exist() -> None:
    known = {metric.name for metric in METRICS}
    assert set(re.findall(r"\bturfmilter_\w+", RULES.read_text())) <= known


def test_the_link_leads_to_the_file_and_can_be_made_again(tmp_path: Path) -> None:
    collected, file = tmp_path / "collected", tmp_path / "run" / "turfmilter.prom"
    collected.mkdir()
    for _ in range(2):
        assert link(file, collected).returncode == 0
        assert (collected / "turfmilter.prom").readlink() == file
    file = tmp_path / "other" / "turfmilter.prom"
    assert link(file, collected).stdout == f"{collected}/turfmilter.prom -> {file}\n"
    assert [one.name for one in collected.iterdir()] == ["turfmilter.prom"]


def test_a_file_in_the_place_of_the_link_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "turfmilter.prom").write_text("precious")
    done = link("/run/turfmilter/turfmilter.prom", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert (tmp_path / "turfmilter.prom").read_text() == "precious"


def test_without_the_directory_of_a_collector_nothing_is_made(tmp_path: Path) -> None:
    done = link("/run/turfmilter/turfmilter.prom", tmp_path / "missing")
    assert (done.returncode, list(tmp_path.iterdir())) == (1, [])
