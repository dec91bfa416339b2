"""`python -m dashboards.grafana`: write the boards anew into dashboards/grafana/json."""

from dashboards.grafana.boards import BOARDS
from dashboards.grafana.build import JSON, text

for board in BOARDS:
    (JSON / f"{board.key}.json").write_text(text(board), encoding="utf-8")
