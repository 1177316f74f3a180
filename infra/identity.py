"""The folder of a certificate: what is in it, and how it is written."""

import os
from pathlib import Path

CERTIFICATE, PRIVATE_KEY = "certificate.pem", "private.key"


def keep_secret(path: Path, text: str) -> None:
    """Readable by its owner only, and there whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
