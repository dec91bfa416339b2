"""Password hashes in Mosquitto's own format. The register stores these: a device's password itself is kept nowhere."""

import base64
import hashlib
import os

ITERATIONS = 101
"""What `mosquitto_passwd` itself uses. The broker checks passwords on its only thread: with the 200,000 that people's
passwords want, 5,000 devices coming back at once would keep everyone waiting for minutes. Devices' passwords are
random and long, so a stolen hash does not lead back to one."""
SALT_BYTES = 12
"""Mosquitto 2.0 accepts no other length."""


def hash_password(password: str, salt: bytes | None = None) -> str:
    """`$7$<iterations>$<salt>$<hash>`: PBKDF2 with HMAC-SHA-512. `salt` is random unless given (only tests do)."""
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    hashed = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(hashed).decode()}"
