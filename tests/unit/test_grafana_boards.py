"""The Grafana boards: what is committed is what is generated, whole, and asks only for what is measured."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.grafana.boards import BOARDS, Board
from dashboards.grafana.build import JSON, WORDS, text
from tests.promql import ROOT, read, wrong

PROVISIONING = ROOT / "dashboards/grafana/provisioning"
LINE_COLUMNS = 24
HAN = re.compile(r"[\u4e00-\u9fff]")
LATIN = re.compile(r"[A-Za-z]{2}")

COMMITTED = {board.key: json.loads((JSON / f"{board.key}.json").read_text(encoding="utf-8")) for board in BOARDS}


@pytest.fixture(params=list(COMMITTED))
def board(request: pytest.FixtureRequest) -> Any:
    return COMMITTED[request.param]


def panels(board: Any) -> list[Any]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def lost(this: Any, other: Any, at: str = "") -> Iterator[str]:
    """Where `other` lacks or changes something of `this`. What it has besides are the models' own defaults."""
    if isinstance(this, dict) and isinstance(other, dict):
        for key, value in this.items():
            yield from lost(value, other[key], f"{at}/{key}") if key in other else (f"{at}/{key}",)
    elif isinstance(this, list) and isinstance(other, list) and len(this) == len(other):
        for number, (value, its) in enumerate(zip(this, other, strict=True)):
            yield from lost(value, its, f"{at}/{number}")
    elif this != other:
        yield at


def test_there_are_three_boards_and_no_others() -> None:
    assert {path.stem for path in JSON.iterdir()} == {"line", "people", "machines"} == set(COMMITTED)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.key)
def test_the_committed_file_is_what_the_generator_writes(board: Board) -> None:
    assert (JSON / f"{board.key}.json").read_text(encoding="utf-8") == text(board), "run `make dashboards`"


def test_the_file_is_a_dashboard_of_this_schema_and_nothing_of_it_gets_lost(board: Any) -> None:
    register_default_plugins()
    again = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    assert list(lost(board, again)) == []
    assert board["schemaVersion"] == 41  # Grafana 11.6


def test_every_expression_is_promql_and_asks_for_what_is_measured(board: Any) -> None:
    asked = [target["expr"] for panel in panels(board) for target in panel["targets"]]
    asked += [annotation["expr"] for annotation in board["annotations"]["list"]]
    assert len(asked) > 15
    assert {expr: problems for expr in asked if (problems := wrong(expr))} == {}


def test_every_variable_is_defined_and_used(board: Any) -> None:
    defined = {variable["name"] for variable in board["templating"].get("list", ())}
    exprs = " ".join(target["expr"] for panel in panels(board) for target in panel["targets"])
    assert set(re.findall(r"\$(?!__)(\w+)", exprs)) == defined


def test_every_panel_has_a_title_a_reason_and_a_unit_in_both_languages(board: Any) -> None:
    for panel in panels(board):
        for said in (panel["title"], *panel["description"].split("\n\n", 1)[:1]):
            assert HAN.search(said), panel["title"]
        zh, _, en = panel["description"].partition("\n\n")
        assert HAN.search(zh), panel["title"]
        assert LATIN.search(en), panel["title"]
        assert not HAN.search(en), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
    assert HAN.search(board["title"])
    assert LATIN.search(board["title"])


def test_every_word_is_used() -> None:
    keys = {board.key: {panel.key for row in board.rows for panel in row.panels} for board in BOARDS}
    for board in BOARDS:
        keys[board.key] |= {row.key for row in board.rows} | {"board"}
        assert set(WORDS[board.key]) <= keys[board.key]
    assert set(WORDS["common"]) <= set.union(*keys.values()) | {"boards", "critical", "service"}


def test_panels_lie_on_the_grid_and_not_on_each_other(board: Any) -> None:
    taken: Counter[tuple[int, int]] = Counter()
    for panel in board["panels"]:
        at = panel["gridPos"]
        assert 0 <= at["x"] < at["x"] + at["w"] <= LINE_COLUMNS, panel["title"]
        assert at["w"] > 0
        assert at["h"] > 0
        taken.update((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"]))
    assert max(taken.values()) == 1
    height = max(y for _, y in taken) + 1
    assert len(taken) == LINE_COLUMNS * height, "there is a hole in the page"


def test_ids_are_unique_and_every_query_says_where_it_asks(board: Any) -> None:
    source = read(PROVISIONING / "datasources/prometheus.yml")["datasources"][0]
    ours = {"type": source["type"], "uid": source["uid"]}
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    for panel in panels(board):
        assert panel["datasource"] == ours
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == sorted(set(letters)), panel["title"]
        for target in panel["targets"]:
            assert target["datasource"] == ours
            assert target["instant"] != target["range"]
    for other in (*board["annotations"]["list"], *board["templating"].get("list", ())):
        assert other["datasource"] == ours


def test_thresholds_rise_from_below_everything(board: Any) -> None:
    for panel in panels(board):
        first, *others = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert first["value"] is None
        values = [step["value"] for step in others]
        assert values == sorted(set(values)), panel["title"]


def test_the_boards_link_to_each_other_and_are_found_by_the_same_address(board: Any) -> None:
    (link,) = board["links"]
    assert link["type"] == "dashboards"
    assert link["tags"] == board["tags"]
    assert board["uid"] == f"pingan-{next(key for key, value in COMMITTED.items() if value is board)}"
    assert 8 <= len(board["uid"]) <= 40


def test_compose_mounts_the_boards_where_the_provider_looks() -> None:
    (provider,) = read(PROVISIONING / "dashboards/pingan.yml")["providers"]
    mounts = read(ROOT / "docker-compose.yml")["services"]["grafana"]["volumes"]
    (boards,) = (mount.split(":")[1] for mount in mounts if mount.split(":")[0] == "./dashboards/grafana")
    assert provider["options"]["path"] == f"{boards}/json"
    assert any(mount.startswith("./dashboards/grafana/provisioning:/etc/grafana/provisioning") for mount in mounts)
