"""What a city needs besides the services themselves, as docker-compose.yml runs it; docs/runbook.md tells how."""
