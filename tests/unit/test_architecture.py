"""The floors: a module imports only downwards.  The table here is the one on the page about the architecture."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
ROOT = PROJECT / "milter"
PAGE = PROJECT / "docs" / "explanation" / "architecture.md"
BEGIN, END = "<!-- floors -->", "<!-- /floors -->"

# The floor, its rooms, and what they are for.  Rooms of one floor never import each other.
FLOORS = [
    (7, ["cli"], "people talk to us"),
    (6, ["compose"], "with desk, the only place that knows every concrete class: builds the daemon"),
    (5, ["desk"], "builds what reviews held mail, for cli, without what only the daemon needs"),
    (
        4,
        ["policies", "review", "daemon"],
        "a Config becomes rules · what administrators do with held mail · processes: supervisor, worker, stopping",
    ),
    (3, ["mta", "stores", "telemetry"], "adapters: pymilter · disk, DNS, memory · log"),
    (2, ["config"], "text becomes one frozen Config; its schema is also the documentation"),
    (1, ["rules", "importers"], "pure: what a rule sees · foreign formats become entries of our tables"),
    (0, ["core"], "pure: values, Rule, Policy, Judge, held messages, ports"),
]
FLOOR = {room: floor for floor, rooms, _ in FLOORS for room in rooms}

# Within a room: packages and modules from the lowest step up.  What no step names is above them all.
STEPS = {
    "core": [
        {"escape"},
        {"address"},
        {"table"},
        {"finding", "reply", "report", "rule", "session", "steadiness"},
        {"held", "journal"},
    ],
    "config": [
        {"descent", "expired", "given", "hints", "received", "setting", "socketspec", "syntax", "textfile"},
        {"kinds"},
        {"sections"},
    ],
}

# What people use sees held messages and the ledger only through core/ports.py, so that another store can replace the
# Maildir: only compose and desk know which one it is.
BEHIND_PORTS = {"review": {"stores"}, "cli": {"stores"}}

PURE = {"core", "rules", "importers"}
IMPURE = {"os", "io", "socket", "time", "threading", "logging", "pathlib", "subprocess", "asyncio", "random", "sys"}
# Libraries, and the only places that may import them.
LIBRARIES = {
    "milter": "mta/",
    "Milter": "mta/",
    "dns": "stores/dns.py",
    "cachetools": "stores/",
    "click": "cli/",
    "idna": "core/address/mailbox.py",
}
# What reads the time of day.  All but these are given a core.ports.Clock, or the time itself.
READS_THE_TIME = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
CLOCKS = {
    "desk.py": ["datetime.now", "datetime.now"],  # SystemClock
    "stores/follower.py": ["time.time_ns"],  # compared with the time of a directory, which has nanoseconds
    "stores/retention.py": ["time.time"],  # compared with CLOCK_BOOTTIME, which no Clock has
}
LONGEST_MODULE, LONGEST_FUNCTION = 300, 40


@dataclass(frozen=True)
class Module:
    """One file below turfmilter/."""

    path: str

    @property
    def room(self) -> str:
        """The package or single module directly below turfmilter/; "" is turfmilter/__init__.py."""
        room = self.path.partition("/")[0].removesuffix(".py")
        doors = {"__init__": "", "__main__": "cli"}  # `python -m turfmilter` enters by the latter
        return doors.get(room, room)

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def text(self) -> str:
        return (ROOT / "turfmilter" / self.path).read_text(encoding="utf-8")


MODULES = [Module(str(path.relative_to(ROOT / "turfmilter"))) for path in sorted((ROOT / "turfmilter").rglob("*.py"))]
every_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.path)


def imports(module: Module) -> list[str]:
    """The absolute names of all that a module imports, wherever in it."""
    return list(_imports(module.tree, ["turfmilter", *module.path.split("/")[:-1]]))


def _imports(tree: ast.AST, package: list[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names if origin == "turfmilter")


def rooms_used(module: Module) -> set[str]:
    """The rooms that a module imports from, its own left out."""
    names = [name.split(".") for name in imports(module)]
    rooms = {parts[1] for parts in names if parts[0] == "turfmilter" and len(parts) > 1}
    return rooms & FLOOR.keys() - {module.room}


def floors_table() -> str:
    """The floors as they stand on the page."""
    rows = [f"| {floor} | {' '.join(map(_shown, rooms))} | {purpose} |" for floor, rooms, purpose in FLOORS]
    return "\n".join(["| floor | rooms | what for |", "|---|---|---|", *rows])


def _shown(room: str) -> str:
    return f"`{room}.py`" if (ROOT / "turfmilter" / f"{room}.py").exists() else f"`{room}/`"


@every_module
def test_a_module_stands_on_a_floor(module: Module) -> None:
    assert module.room in FLOOR or (module.room == "" and not imports(module)), "no floor is known for this room"


@every_module
def test_a_module_imports_only_downwards(module: Module) -> None:
    floor = FLOOR.get(module.room, 0)
    assert [room for room in sorted(rooms_used(module)) if FLOOR[room] >= floor] == []


@pytest.mark.parametrize("module", [m for m in MODULES if m.room in BEHIND_PORTS], ids=lambda module: module.path)
def test_the_review_desk_knows_stores_only_as_ports(module: Module) -> None:
    assert sorted(rooms_used(module) & BEHIND_PORTS[module.room]) == []


def _step(room: str, part: str) -> int:
    steps = STEPS[room]
    return next((number for number, parts in enumerate(steps) if part in parts), len(steps))


@pytest.mark.parametrize("module", [m for m in MODULES if m.room in STEPS], ids=lambda module: module.path)
def test_within_a_room_a_package_imports_only_downwards(module: Module) -> None:
    part = module.path.split("/")[1].removesuffix(".py")
    used = {name.split(".")[2] for name in imports(module) if name.startswith(f"turfmilter.{module.room}.")} - {part}
    assert [other for other in sorted(used) if _step(module.room, other) > _step(module.room, part)] == []


@every_module
def test_a_library_is_imported_only_where_it_is_at_home(module: Module) -> None:
    used = {name.partition(".")[0] for name in imports(module)}
    assert [name for name in sorted(used) if not module.path.startswith(LIBRARIES.get(name, ""))] == []
    assert used <= LIBRARIES.keys() | sys.stdlib_module_names | {"turfmilter"}, "not a library that we depend on"


@pytest.mark.parametrize("module", [m for m in MODULES if m.room in PURE], ids=lambda module: module.path)
def test_the_lower_floors_touch_nothing_outside(module: Module) -> None:
    assert sorted({name.partition(".")[0] for name in imports(module)} & IMPURE) == []
    calls = [node.func for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
    names = {call.id for call in calls if isinstance(call, ast.Name)}
    methods = {call.attr for call in calls if isinstance(call, ast.Attribute)}
    assert sorted(names & {"open", "print", "input", "__import__"}) == []
    assert sorted(methods & {"now", "utcnow", "today"} - _of_the_clock(module)) == []


@every_module
def test_the_time_is_read_by_one_clock(module: Module) -> None:
    calls = [ast.unparse(node.func) for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
    names = [".".join(name.split(".")[-2:]) for name in calls]
    assert [name for name in names if name in READS_THE_TIME] == CLOCKS.get(module.path, [])
    from_time = [node for node in ast.walk(module.tree) if isinstance(node, ast.ImportFrom) and node.module == "time"]
    assert not from_time, "written as time.monotonic, so that this test sees it"


def _of_the_clock(module: Module) -> set[str]:
    """The methods that are called on a Clock of the ports."""
    calls = [node.func for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
    on_clock = (call for call in calls if isinstance(call, ast.Attribute) and "clock" in ast.unparse(call.value))
    return {call.attr for call in on_clock}


def test_the_daemon_loads_nothing_that_only_turfctl_import_needs() -> None:
    modules = {f"turfmilter.{module.path.removesuffix('.py').replace('/', '.')}": module for module in MODULES}
    loaded, todo = set[str](), ["turfmilter.cli.turfmilter"]
    while todo:
        name = todo.pop()
        if name in modules and name not in loaded:
            loaded.add(name)
            todo += imports(modules[name])
    readers = ("draft", "regfile", "exchange", "accessmap", "postfixpolicy", "sendmailmc", "sendmailpolicy")
    needed = {
        "turfmilter.cli.importing",
        "turfmilter.cli.placing",
        *(f"turfmilter.importers.{name}" for name in readers),
    }
    assert needed <= modules.keys()
    assert loaded & needed == set()
    assert "turfmilter.importers.postfix" in loaded


@every_module
def test_a_module_fits_in_the_head(module: Module) -> None:
    assert len(module.text.splitlines()) <= LONGEST_MODULE
    functions = [node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    # A list: two functions may have one name.
    lengths = [(f.name, (f.end_lineno or 0) - f.lineno + 1) for f in functions]
    assert [(name, length) for name, length in lengths if length > LONGEST_FUNCTION] == []


@every_module
def test_an_object_has_all_its_attributes_from_the_beginning(module: Module) -> None:
    classes = [node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
    assert {one.name: late for one in classes if (late := _set_late(one))} == {}


def _set_late(made: ast.ClassDef) -> set[str]:
    """What methods set on self and neither __init__ nor the class itself does."""
    methods = [node for node in made.body if isinstance(node, ast.FunctionDef)]
    fields = [node.target for node in made.body if isinstance(node, ast.AnnAssign)]
    known = {field.id for field in fields if isinstance(field, ast.Name)}
    known.update(*(_set_on_self(method) for method in methods if method.name == "__init__"))
    return set().union(*map(_set_on_self, methods)) - known


def _set_on_self(method: ast.FunctionDef) -> set[str]:
    attributes = [node for node in ast.walk(method) if isinstance(node, ast.Attribute)]
    return {one.attr for one in attributes if isinstance(one.ctx, ast.Store) and ast.unparse(one.value) == "self"}


@every_module
def test_a_module_begins_with_its_purpose(module: Module) -> None:
    assert ast.get_docstring(module.tree)


def test_the_source_root_is_no_package() -> None:
    """pymilter's extension is named milter too, and a package of that name would hide it."""
    assert not (ROOT / "__init__.py").exists()
    assert sorted(path.name for path in ROOT.iterdir() if path.suffix == ".py") == []


def test_the_page_shows_the_floors_as_they_are() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1, f"{PAGE} needs {BEGIN} and {END}, once each"
    shown = text.partition(BEGIN)[2].partition(END)[0].strip()
    assert shown == floors_table(), f"{PAGE} must show between the marks:\n{floors_table()}"


@pytest.mark.parametrize(
    ("path", "source", "found"),
    [
        ("core/x.py", "import os.path", ["os.path"]),
        ("core/x.py", "from turfmilter.mta.peer import connection", ["turfmilter.mta.peer"]),
        ("core/x.py", "from turfmilter import mta", ["turfmilter", "turfmilter.mta"]),
        ("core/x.py", "from . import judge", ["turfmilter.core"]),
        ("core/x.py", "from ..mta import peer", ["turfmilter.mta"]),
        ("core/x.py", "def f():\n    if x:\n        import milter as m", ["milter"]),
    ],
)
def test_no_way_to_import_goes_unseen(path: str, source: str, found: list[str]) -> None:
    package = ["turfmilter", *path.split("/")[:-1]]
    assert list(_imports(ast.parse(source), package)) == found
