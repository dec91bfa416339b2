"""A board of ours → Grafana's JSON, by Grafana's own SDK (schema of 11.6)."""

import json
import string
import tomllib
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.grafana.boards import Board, Panel

HERE = Path(__file__).parent
JSON = HERE / "json"
WORDS: dict[str, dict[str, Any]] = tomllib.loads((HERE / "words.toml").read_text(encoding="utf-8"))

SOURCE = models.DataSourceRef(type_val="prometheus", uid="pingan-prometheus")
"""The uid of provisioning/datasources/prometheus.yml."""

TAG = "pingan"
NOTHING = "–"

AnyPanel = stat.Panel | timeseries.Panel | statetimeline.Panel | table.Panel


def text(board: Board) -> str:
    """The committed file: one board, the same to the byte at each run."""
    return json.dumps(build(board), cls=JSONEncoder, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def build(board: Board) -> models.Dashboard:
    """KeyError when words.toml lacks one of its words."""
    words = {**WORDS["common"], **WORDS[board.key]}
    built = (
        dashboard.Dashboard(_both(words["board"]))
        .uid(f"pingan-{board.key}")
        .description(_about(words["board"]))
        .tags([TAG])
        .readonly()
        .time(board.since, "now")
        .refresh("10s")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(_to_the_others())
        .annotation(_critical_alerts())
    )
    if board.by_service:
        built = built.with_variable(_service())
    number = 0
    for row in board.rows:
        number += 1
        built = built.with_row(dashboard.Row(_both(words[row.key])).id(number))
        for panel in row.panels:
            number += 1
            built = built.with_panel(_panel(panel, words[panel.key]).id(number).height(row.height).span(panel.width))
    return built.build()


def _both(words: dict[str, str]) -> str:
    """Chinese and English in one title: the manager and the engineer look at the same page."""
    return f"{words['zh']} {words['en']}"


def _about(words: dict[str, str]) -> str:
    return f"{words['about_zh']}\n\n{words['about_en']}"


def _panel(panel: Panel, words: dict[str, Any]) -> AnyPanel:
    built: AnyPanel
    match panel.kind:
        case "stat":
            built = _stat()
        case "line" | "stack":
            built = _line(panel)
        case "states":
            built = statetimeline.Panel().legend(common.VizLegendOptions().show_legend(False)).merge_values(True)
        case "table":
            built = table.Panel().with_transformation(_columns())
    legends = words.get("legends") or [legend for _, legend in panel.queries]
    for letter, (expr, _), legend in zip(string.ascii_uppercase, panel.queries, legends, strict=False):
        query = prometheus.Dataquery().expr(expr).ref_id(letter).datasource(SOURCE).legend_format(legend)
        if panel.kind == "table":
            query = query.instant().format(PromQueryFormat.TABLE)
        elif panel.kind == "stat":
            query = query.instant()
        else:
            query = query.range()
        built = built.with_target(query)
    built = (
        built.title(_both(words))
        .description(_about(words))
        .datasource(SOURCE)
        .unit(panel.unit)
        .no_value(NOTHING)
        .thresholds(
            dashboard.ThresholdsConfig()
            .mode(models.ThresholdsMode.ABSOLUTE)
            .steps([models.Threshold(value, colour) for value, colour in panel.levels])
        )
    )
    if panel.unit == "percentunit":
        built = built.decimals(2).min(0)
    if panel.maximum is not None:
        built = built.max(panel.maximum)
    return built


def _stat() -> stat.Panel:
    """A number on its colour. Where there is nothing to count it is neither green nor red."""
    nothing = models.SpecialValueMap(
        models.DashboardSpecialValueMapOptions(
            match=models.SpecialValueMatch.NULL_AND_NAN, result=models.ValueMappingResult(text=NOTHING, color="#6e6e6e")
        )
    )
    return (
        stat.Panel()
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .color_mode(shapes.BigValueColorMode.BACKGROUND)
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .mappings([nothing])
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def _line(panel: Panel) -> timeseries.Panel:
    built = (
        timeseries.Panel()
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(shapes.LegendDisplayMode.LIST)
            .placement(shapes.LegendPlacement.BOTTOM)
        )
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI))
        .min(0)
    )
    if panel.kind == "stack":
        built = built.fill_opacity(40).stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL))
    elif len(panel.levels) > 1:
        style = common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.DASHED)
        built = built.thresholds_style(style)
    return built


def _columns() -> models.DataTransformerConfig:
    hidden = ("Time", "Value", "__name__", "alertstate", "board")
    return models.DataTransformerConfig(
        id_val="organize", options={"excludeByName": dict.fromkeys(hidden, True), "indexByName": {}, "renameByName": {}}
    )


def _to_the_others() -> dashboard.DashboardLink:
    """A button for each board that bears our tag; the selected time goes along."""
    words = WORDS["common"]["boards"]
    return (
        dashboard.DashboardLink(_both(words))
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(False)
        .keep_time(True)
        .include_vars(False)
    )


def _critical_alerts() -> dashboard.AnnotationQuery:
    words = WORDS["common"]["critical"]
    return (
        dashboard.AnnotationQuery()
        .name(_both(words))
        .datasource(SOURCE)
        .enable(True)
        .icon_color("red")
        .expr('ALERTS{alertstate="firing", severity="critical"}')
    )


def _service() -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable("job")
        .label(_both(WORDS["common"]["service"]))
        .query("label_values(up, job)")
        .datasource(SOURCE)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )
