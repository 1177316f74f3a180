"""The files of the pages, read once per Lambda.

`templates/<name>` with {version} filled in; `static/<name>` at assets/<version>/<name>. The version is a hash
over all of them, so a new deploy is a new address and every page loads only files of its own release.
"""

import functools
import hashlib
import re
from pathlib import Path

from msgspec import Struct

from chalicelib.kernel.errors import NotFound

HERE = Path(__file__).parent
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".webmanifest": "application/manifest+json; charset=utf-8",
    ".png": "image/png",
}
FOR_EVER = "public, max-age=31536000, immutable"


class File(Struct, frozen=True):
    body: str | bytes
    content_type: str
    cache: str


class PageFiles:
    def template(self, name: str) -> File:
        path = HERE / "templates" / name
        text = path.read_text(encoding="utf-8").replace("{version}", version())
        return File(text, KINDS[path.suffix], "no-store")

    def asset(self, asked_version: str, name: str) -> File:
        """A page of an older release still gets its file, but may not keep it under the old address."""
        path = _static().get(name)
        if path is None:
            raise NotFound()
        kind = KINDS[path.suffix]
        body = _slim(path) if "charset" in kind else path.read_bytes()
        return File(body, kind, FOR_EVER if asked_version == version() else "no-store")


def _slim(path: Path) -> str:
    """Without comments, indentation and a style sheet's spaces: small also where nothing compresses."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"^\s*//.*\n|^\s*/\*[\s\S]*?\*/\n|^[ \t]+| +// [^\"'`\n]*$", "", text, flags=re.MULTILINE)
    return re.sub(r"([{};:,]) | (?=\{)", r"\1", text) if path.suffix == ".css" else text


@functools.cache
def _static() -> dict[str, Path]:
    return {path.name: path for path in (HERE / "static").iterdir() if path.suffix in KINDS}


@functools.cache
def version() -> str:
    files = sorted([*(HERE / "templates").iterdir(), *_static().values()])
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
