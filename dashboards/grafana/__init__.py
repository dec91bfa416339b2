"""The Grafana boards, generated. Only `python -m dashboards.grafana` and its tests import this and the SDK."""
