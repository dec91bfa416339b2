"""What the three boards ask, in which unit, and from where on it is bad. Their words stand in words.toml.

Thresholds are the service levels and the numbers of dashboards/prometheus/rules, so that a board turns red when the
alert does. What several processes read in the same database is `max`, never `sum`; what each counts itself is summed.
"""

from dataclasses import dataclass
from typing import Literal

GREEN, AMBER, RED, BLUE = "green", "orange", "red", "blue"

Kind = Literal["stat", "line", "stack", "states", "table"]


@dataclass(frozen=True)
class Panel:
    """`queries`: (PromQL, legend of labels); a legend of words is in words.toml.

    `levels`: (from this value on, colour), the first from below everything.
    """

    key: str
    kind: Kind
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    levels: tuple[tuple[float | None, str], ...] = ((None, BLUE),)
    width: int = 8
    maximum: float | None = None


@dataclass(frozen=True)
class Row:
    """Panels of one height, from left to right, 24 columns to a line."""

    key: str
    height: int
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Board:
    key: str
    rows: tuple[Row, ...]
    by_service: bool = False
    """Whether it has the variable `$job`."""
    since: str = "now-6h"


def good_from(level: float) -> tuple[tuple[float | None, str], ...]:
    return ((None, RED), (level, GREEN))


def bad_from(level: float, warning: float | None = None) -> tuple[tuple[float | None, str], ...]:
    middle: tuple[tuple[float | None, str], ...] = () if warning is None else ((warning, AMBER),)
    return ((None, GREEN), *middle, (level, RED))


def share(metric: str, level_seconds: float) -> str:
    """PromQL: the share of the selected time's observations within a level. `level_seconds` is a bucket's bound."""
    return (
        f'sum(increase({metric}_bucket{{le="{level_seconds:.1f}"}}[$__range])) / '
        f"sum(increase({metric}_count[$__range]))"
    )


def quantile(q: float, metric: str, window: str, by: str = "", selector: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{selector}[{window}])))"


def happened(metric: str, by: str, window: str) -> str:
    """PromQL: how often within `window`. A series that is new counts whole: increase() does not see its first 1."""
    return f"sum by ({by}) ({metric} unless {metric} offset {window} or increase({metric}[{window}]))"


def firing(board: str) -> str:
    return f'count(ALERTS{{alertstate="firing", board="{board}", severity!="none"}}) or vector(0)'


def alerts(board: str) -> Panel:
    asked = f'ALERTS{{alertstate="firing", board="{board}", severity!="none"}}'
    return Panel("alerts", "table", ((asked, ""),), width=24)


ALARM = '{lane="alarm"}'
BAD_ENDS = '{result=~"failed|abandoned|unclear"}'
SERVICES = '{job=~"$job"}'

LINE = Board(
    "line",
    (
        Row(
            "now",
            4,
            (
                Panel("hears_presses", "stat", (('sum(pingan_heard{lane="alarm"}) or vector(0)', ""),), "none",
                      ((None, RED), (1, GREEN), (2, AMBER)), 4),
                Panel("hears_sensors", "stat", (('sum(pingan_heard{lane="telemetry"}) or vector(0)', ""),), "none",
                      ((None, RED), (1, GREEN), (2, AMBER)), 4),
                Panel("pipe_age", "stat", (("max(pingan_tick_age_seconds)", ""),), "s", bad_from(15, 5), 4),
                Panel("urgent_lag", "stat", (('max(pingan_lag_entries{log="urgent"})', ""),), "none",
                      bad_from(100, 1), 4),
                Panel("parked_day", "stat",
                      ((f"sum({happened('pingan_parked_total', 'log', '1d')}) or vector(0)", ""),), "none",
                      bad_from(1), 4),
                Panel("firing", "stat", ((firing("line"), ""),), "none", bad_from(1), 4),
            ),
        ),
        Row("alarmed", 6, (alerts("line"),)),
        Row(
            "presses",
            8,
            (
                Panel("received", "line", (("60 * sum by (lane) (rate(pingan_received_total[5m]))", "{{lane}}"),),
                      "cpm"),
                Panel("acknowledged", "line",
                      ((quantile(0.5, "pingan_acknowledge_seconds", "5m", selector=ALARM), "p50"),
                       (quantile(0.99, "pingan_acknowledge_seconds", "5m", selector=ALARM), "p99")),
                      "s", bad_from(2)),
                Panel("raised", "line",
                      ((quantile(0.5, "pingan_raise_seconds", "5m"), "p50"),
                       (quantile(0.99, "pingan_raise_seconds", "5m"), "p99")), "s", bad_from(2)),
                Panel("appended", "line", ((quantile(0.99, "pingan_append_seconds", "5m", "log"), "p99 {{log}}"),), "s",
                      bad_from(0.5), 12),
                Panel("alarms", "stack",
                      ((happened("pingan_alarms_total", "kind, source", "1h"), "{{kind}} · {{source}}"),),
                      "short", width=12),
            ),
        ),
        Row(
            "pipe",
            8,
            (
                Panel("ages", "line", (("max by (instance) (pingan_tick_age_seconds)", "{{instance}}"),), "s",
                      bad_from(15, 5)),
                Panel("lag", "line", (("max by (log, group) (pingan_lag_entries)", "{{log}} → {{group}}"),), "short"),
                Panel("lag_seconds", "line", (("log_group:pingan_lag:seconds", "{{group}}"),), "s", bad_from(300)),
                Panel("partitions", "stack",
                      (('sum by (group, instance) (pingan_partitions{log="readings"})', "{{group}} · {{instance}}"),),
                      "none", width=12),
                Panel("archived", "line", (("sum(rate(pingan_archived_rows_total[5m]))", ""),), "wps", width=12),
            ),
        ),
        Row(
            "refused",
            8,
            (
                Panel("rejected", "stack",
                      ((happened("pingan_rejected_total", "lane, reason", "1h"), "{{lane}} · {{reason}}"),),
                      "short", width=12),
                Panel("parked", "stack", (("log_group:pingan_parked:increase1h", "{{log}} → {{group}}"),), "short",
                      width=12),
            ),
        ),
        Row(
            "devices",
            8,
            (
                Panel("device_states", "stack", (("max by (state) (pingan_devices)", "{{state}}"),), "none", width=12),
                Panel("silent", "stat", (('max(pingan_devices{state="silent"})', ""),), "none", bad_from(10, 1), 4),
                Panel("low_battery", "stat", (('max(pingan_devices{state="low_battery"})', ""),), "none",
                      bad_from(10, 1), 4),
                Panel("unadopted", "stat", (("max(pingan_devices_unadopted)", ""),), "none", ((None, BLUE), (1, AMBER)),
                      4),
            ),
        ),
    ),
)  # fmt: skip

PEOPLE = Board(
    "people",
    (
        Row(
            "now",
            4,
            (
                Panel("unanswered", "stat", (("max(pingan_unanswered_seconds)", ""),), "s", bad_from(180, 60), 4),
                Panel("consoles", "stat", (("max(pingan_consoles)", ""),), "none", good_from(1), 4),
                Panel("open_dangers", "stat", (('sum(max by (state) (pingan_incidents{danger="true"}))', ""),), "none",
                      width=4),
                Panel("alarms_waiting", "stat", (("max(pingan_alarms_waiting)", ""),), "none", bad_from(1), 4),
                Panel("overdue", "stat",
                      (("max(pingan_sends_overdue) + max(pingan_deadlines_overdue)", ""),), "none", bad_from(1), 4),
                Panel("firing", "stat", ((firing("people"), ""),), "none", bad_from(1), 4),
            ),
        ),
        Row("alarmed", 6, (alerts("people"),)),
        Row(
            "levels",
            4,
            (
                Panel("answered_60", "stat", ((share("pingan_answer_seconds", 60), ""),), "percentunit",
                      good_from(0.985), 4),
                Panel("answered_180", "stat", ((share("pingan_answer_seconds", 180), ""),), "percentunit",
                      good_from(0.995), 4),
                Panel("answered_15", "stat", ((share("pingan_answer_seconds", 15), ""),), "percentunit",
                      ((None, AMBER), (0.9, GREEN)), 4),
                Panel("answered_20", "stat", ((share("pingan_answer_seconds", 20), ""),), "percentunit",
                      ((None, AMBER), (0.95, GREEN)), 4),
                Panel("answers", "stat", (("sum(increase(pingan_answer_seconds_count[$__range]))", ""),), "none",
                      width=4),
                Panel("pressed_60", "stat", ((share("pingan_press_to_answer_seconds", 60), ""),), "percentunit",
                      width=4),
                Panel("dispatched_60", "stat", ((share("pingan_dispatch_seconds", 60), ""),), "percentunit",
                      good_from(0.9), 4),
                Panel("arrived_30", "stat", ((share("pingan_arrival_seconds", 1800), ""),), "percentunit",
                      ((None, AMBER), (0.9, GREEN)), 4),
                Panel("arrived_45", "stat", ((share("pingan_arrival_seconds", 2700), ""),), "percentunit",
                      good_from(0.9), 4),
                Panel("arrived_60", "stat", ((share("pingan_arrival_seconds", 3600), ""),), "percentunit",
                      good_from(1.0), 4),
                Panel("arrivals", "stat", (("sum(increase(pingan_arrival_seconds_count[$__range]))", ""),), "none",
                      width=4),
                Panel("left", "stat",
                      (("pingan:answers_allowed:ratio * on () group_left () pingan:answers:increase30d"
                        " - pingan:answers_late:increase30d", "> {{le}} s"),), "none", ((None, RED), (0, GREEN)), 4),
            ),
        ),
        Row(
            "times",
            8,
            (
                Panel("answer_times", "line",
                      ((quantile(0.5, "pingan_answer_seconds", "1h"), "p50"),
                       (quantile(0.9, "pingan_answer_seconds", "1h"), "p90"),
                       ("max(pingan_unanswered_seconds)", "")), "s", bad_from(180, 60)),
                Panel("dispatch_times", "line",
                      ((quantile(0.5, "pingan_dispatch_seconds", "1h"), "p50"),
                       (quantile(0.9, "pingan_dispatch_seconds", "1h"), "p90")), "s", bad_from(60)),
                Panel("arrival_times", "line",
                      ((quantile(0.5, "pingan_arrival_seconds", "6h"), "p50"),
                       (quantile(0.9, "pingan_arrival_seconds", "6h"), "p90")), "s", bad_from(2700, 1800)),
                Panel("shown_times", "line",
                      ((quantile(0.5, "pingan_shown_seconds", "15m"), "p50"),
                       (quantile(0.99, "pingan_shown_seconds", "15m"), "p99")), "s", bad_from(10)),
                Panel("burn", "line",
                      (("pingan:answers_late:increase6h / on () group_left () pingan:answers:increase6h"
                        " / pingan:answers_allowed:ratio", "> {{le}} s"),), "none", bad_from(6, 1)),
                Panel("desk", "line", (("max(pingan_consoles)", ""),), "none", good_from(1)),
            ),
        ),
        Row(
            "response",
            8,
            (
                Panel("incidents", "stack",
                      (('max by (state) (pingan_incidents{danger="true"})', "{{state}}"),), "none"),
                Panel("sends", "stack",
                      ((happened("pingan_sends_total", "channel, result", "1h"), "{{channel}} · {{result}}"),),
                      "short"),
                Panel("sends_failed", "line",
                      (("sum by (channel) (channel_result:pingan_sends:increase10m" + BAD_ENDS + ")"
                        ' / sum by (channel) (channel_result:pingan_sends:increase10m{result!="withdrawn"})',
                        "{{channel}}"),), "percentunit",
                      bad_from(0.5), maximum=1),
                Panel("sends_late", "line", ((quantile(0.99, "pingan_send_late_seconds", "15m", "channel"),
                                              "p99 {{channel}}"),), "s", bad_from(2)),
                Panel("late_now", "line", (("max(pingan_sends_overdue)", ""), ("max(pingan_deadlines_overdue)", "")),
                      "none", bad_from(1)),
                Panel("closed", "stack",
                      ((happened("pingan_closed_total", "cause, outcome", "1h"), "{{cause}} · {{outcome}}"),),
                      "short"),
            ),
        ),
    ),
    since="now-24h",
)  # fmt: skip

MACHINES = Board(
    "machines",
    (
        Row(
            "now",
            4,
            (
                Panel("down", "stat", (("count(up == 0) or vector(0)", ""),), "none", bad_from(1), 4),
                Panel("not_ready", "stat", (("count(pingan_ready == 0) or vector(0)", ""),), "none", bad_from(1), 4),
                Panel("database_now", "stat", (("max(pingan_database_seconds)", ""),), "s", bad_from(0.5, 0.1), 4),
                Panel("database_size", "stat", (("max(pingan_database_bytes)", ""),), "bytes", width=4),
                Panel("clock", "stat", (("max(abs(pingan_clock_step_seconds))", ""),), "s", bad_from(2), 4),
                Panel("firing", "stat", ((firing("machines"), ""),), "none", bad_from(1), 4),
            ),
        ),
        Row("alarmed", 6, (alerts("machines"),)),
        Row(
            "processes",
            9,
            (
                Panel("up", "states", ((f"up{SERVICES}", "{{job}} {{instance}}"),), "none", good_from(1), 12),
                Panel("ready", "states", ((f"pingan_ready{SERVICES}", "{{job}} {{instance}}"),), "none", good_from(1),
                      12),
                Panel("waiting", "states", ((f"max by (job, part) (pingan_waiting{SERVICES})", "{{job}} · {{part}}"),),
                      "none", bad_from(1), 12),
                Panel("starts", "line",
                      ((f"sum by (job) (changes(process_start_time_seconds{SERVICES}[15m]))", "{{job}}"),), "none",
                      bad_from(3), 12),
            ),
        ),
        Row(
            "database",
            8,
            (
                Panel("database_times", "line",
                      ((f"max by (job) (pingan_database_seconds{SERVICES})", "{{job}}"),), "s", bad_from(0.5, 0.1), 6),
                Panel("database_bytes", "line", (("max(pingan_database_bytes)", ""),), "bytes", width=6),
                Panel("disks", "line", (("min by (disk) (pingan_disk_free_bytes)", "{{disk}}"),), "bytes", width=6),
                Panel("jobs", "line", (("max(pingan_timescale_job_failures)", ""),), "none", width=6),
            ),
        ),
        Row(
            "load",
            8,
            (
                Panel("memory", "line",
                      ((f"process_resident_memory_bytes{SERVICES}", "{{job}} {{instance}}"),), "bytes"),
                Panel("processor", "line",
                      ((f"rate(process_cpu_seconds_total{SERVICES}[5m])", "{{job}} {{instance}}"),), "percentunit"),
                Panel("files", "line",
                      ((f"process_open_fds{SERVICES} / process_max_fds{SERVICES}", "{{job}} {{instance}}"),),
                      "percentunit", bad_from(0.8), maximum=1),
            ),
        ),
        Row(
            "watcher",
            8,
            (
                Panel("rules", "line",
                      (("sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total[5m]))",
                        "{{rule_group}}"),), "none", bad_from(1), 12),
                Panel("undelivered", "line",
                      (("sum by (integration) (increase(alertmanager_notifications_failed_total[5m]))",
                        "{{integration}}"),
                       ("sum(increase(prometheus_notifications_dropped_total[5m]))", "Prometheus → Alertmanager")),
                      "none", bad_from(1), 12),
            ),
        ),
    ),
    by_service=True,
)  # fmt: skip

BOARDS = (LINE, PEOPLE, MACHINES)
