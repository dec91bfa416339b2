"""The platform on one machine: its database, its broker, and the supervisor that keeps every process running."""
