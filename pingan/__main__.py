"""The command line: the only file that knows every room."""

import importlib
import os
import socket
import sys

COMMANDS = {
    "up": ("pingan.local.up", "up", "start the platform on this machine and return"),
    "down": ("pingan.local.up", "down", "stop it"),
    "status": ("pingan.local.up", "status", "what runs, and how it is"),
    "access": ("pingan.local.up", "access", "how to reach what runs (--json)"),
    "doctor": ("pingan.local.doctor", "main", "what is wrong, and the command that mends it"),
    "supervise": ("pingan.local.supervisor", "main", "keep the platform's processes running (what `up` starts)"),
    "migrate": ("pingan.commands", "migrate", "bring the database's schema up to date"),
    "ingest": ("ingest.bridge", "main", "MQTT in, log out: --lane alarm | telemetry"),
    "receiver": ("ingest.sos_access.command", "main", "alarms by SOS Access v4 in; add, renew, remove, list"),
    "archive": ("ingest.archive", "main", "readings from the log into their tables"),
    "urgent": ("alerting.urgent", "main", "ringing events into alarms, at once"),
    "alerting": ("alerting.runner", "main", "readings through the detectors into alarms"),
    "shadow": ("alerting.shadow_command", "main", "versions of detectors: try one in shadow, compare, promote"),
    "dispatch": ("dispatch.service", "main", "alarms to people, until a person has come"),
    "suggestions": ("dispatch.learning_command", "main", "what closures suggest, and how often alarms were false"),
    "audit": ("dispatch.audit_command", "main", "whether every press became one incident that a person took"),
    "policy": ("dispatch.policy_command", "main", "who is called when: explain a case, show, check a file"),
    "console": ("pingan.web", "main", "the operators' console, the API and the webhooks"),
    "codec": ("ingest.try_codec", "main", "try: what a device's or a gateway's message becomes, or why not"),
    "register": ("care.commands", "main", "the register: import, export, sample"),
    "export": ("care.person_commands", "export", "everything of one person, as JSON and CSV"),
    "erase": ("care.person_commands", "erase", "delete one person's data, with a certificate"),
    "device": ("care.device_commands", "main", "enrol devices: passwords, certificates, labels; disable, revoke"),
    "ca": ("care.device_commands", "ca", "the authority behind devices' certificates: init, show"),
    "broker": ("pingan.city.broker", "main", "Mosquitto with the register's devices, by TLS (what a city runs)"),
    "health": ("pingan.city.health", "main", "whether the processes here work: a container's health check (--mend)"),
    "access-file": ("pingan.city.access", "main", "the access file for a simulator in another container"),
    "evaluate": ("pingan.evaluate", "main", "the detectors on recordings of real people: falls, homes"),
    "sim": ("device_sim.cli", "main", "the simulated neighbourhood: run, press, phones, replay"),
}

TYPED_BY_PEOPLE = (
    "migrate", "register", "export", "erase", "receiver", "audit", "suggestions", "policy", "sim", "device", "ca",
    "shadow",
)  # fmt: skip
"""These find the installation of this machine by themselves, so that they work in a shell that knows nothing of it."""


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help", "help"):
        lines = [f"  {name:<10} {what}" for name, (_, _, what) in COMMANDS.items()]
        sys.stdout.write("usage: pingan COMMAND …\n\n" + "\n".join(lines) + "\n")
        return 0
    if argv[0] not in COMMANDS:
        sys.stderr.write(f"pingan: there is no command {argv[0]!r}; `pingan help` lists them\n")
        return 2
    if argv[0] in TYPED_BY_PEOPLE:
        importlib.import_module("pingan.local.shell").complete(os.environ)
    # Whoever starts us names us, if more than one of a kind runs on a machine. Each container is a machine of its own.
    os.environ.setdefault("PINGAN_NAME", f"{argv[0]}-{socket.gethostname()}")
    module, function, _ = COMMANDS[argv[0]]
    # A room is imported only when it is asked for: each process holds in memory what it uses.
    return int(getattr(importlib.import_module(module), function)(argv[1:]) or 0)


if __name__ == "__main__":
    sys.exit(main())
