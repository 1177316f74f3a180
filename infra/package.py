"""Makes the artefact of a deploy: Chalice's package with our template merged in, then pruned and compiled.

Chalice's zip carries botocore's description of every AWS service and no bytecode. `/var/task` is read-only:
without bytecode every cold start compiles every module again. Ours is compared with no source (PEP 552,
unchecked-hash), since the zip is never edited in place.
"""

import argparse
import compileall
import hashlib
import os
import py_compile
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
SERVICES = {"dynamodb", "events", "iot", "iot-data", "logs", "s3", "secretsmanager", "sns", "sqs"}
"""The AWS services the Lambdas call; the description of every other one stays out of the zip."""

NEEDLESS = re.compile(r"(^|/)(tests?|__pycache__|examples)/|\.pyi$|\.pyc$|/examples-1\.json(\.gz)?$")
METHODS = {"delete", "get", "head", "patch", "post", "put"}
EPOCH = (2020, 1, 1, 0, 0, 0)


class InFull(yaml.SafeDumper):
    """CloudFormation refuses a template with YAML aliases."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


class NotPackaged(Exception):
    """The package could not be made; the sentence says why."""


@dataclass(frozen=True)
class Package:
    """`template` is the SAM template, whose functions all point at `code`."""

    template: Path
    code: Path

    @property
    def version(self) -> str:
        """Named by its content: the same code is the same version."""
        return hashlib.sha256(self.code.read_bytes()).hexdigest()


def package(out: Path) -> Package:
    """The same sources give the same bytes, so that an unchanged function is not deployed again."""
    made = render(out)
    _prune_and_compile(made.code, out / "code")
    return made


def render(out: Path) -> Package:
    """What Chalice makes of app.py and infra/app.yaml, and a way for the methods nobody declared."""
    shutil.rmtree(out, ignore_errors=True)
    command = [str(Path(sys.executable).with_name("chalice")), "package", "--stage", "main"]
    command += ["--template-format", "yaml", "--merge-template", "infra/app.yaml", str(out)]
    environment = {"AWS_DEFAULT_REGION": "ap-northeast-2", **os.environ, "STAGE": "package"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    made = Package(out / "sam.yaml", out / "deployment.zip")
    if done.returncode or not made.code.exists():
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise NotPackaged("chalice package failed: " + "".join(last))
    template = yaml.safe_load(made.template.read_text())
    _must_be_declared(template)
    _pass_on_other_methods(template)
    made.template.write_text(yaml.dump(template, Dumper=InFull, allow_unicode=True))
    return made


def _must_be_declared(template: dict[str, Any]) -> None:
    """Chalice merges a resource that no handler declares without a word, and it has no type then."""
    unknown = [name for name, resource in template["Resources"].items() if "Type" not in resource]
    if unknown:
        raise NotPackaged(f"infra/app.yaml extends functions that no handler declares: {', '.join(unknown)}")


def _pass_on_other_methods(template: dict[str, Any]) -> None:
    """The gateway calls a known path with an undeclared method unknown; the function can say 405.

    HEAD is asked of the same people as GET.
    """
    for methods in template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"].values():
        if "get" in methods:
            methods["head"] = methods["get"]
        declared = next(iter(methods.values()))
        for method in METHODS - methods.keys():
            methods[method] = {name: value for name, value in declared.items() if name != "security"}


def needed(name: str) -> bool:
    """Whether a file of the zip is of any use in a Lambda."""
    data = re.match(r"botocore/data/([^/]+)/", name)
    return not NEEDLESS.search(name) and (data is None or data.group(1) in SERVICES)


def _prune_and_compile(code: Path, work: Path) -> None:
    with zipfile.ZipFile(code) as full:
        full.extractall(work, [name for name in full.namelist() if needed(name)])
    compileall.compile_dir(
        work,
        quiet=2,
        stripdir=str(work),
        prependdir="/var/task",
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    with zipfile.ZipFile(code, "w", zipfile.ZIP_DEFLATED) as small:
        for path in sorted(path for path in work.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(work).as_posix(), EPOCH)
            entry.external_attr = 0o644 << 16
            small.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    shutil.rmtree(work)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="make the CloudFormation artefacts")
    parser.add_argument("--out", type=Path, default=ROOT / ".local" / "package")
    try:
        made = package(parser.parse_args().out)
    except NotPackaged as problem:
        sys.exit(str(problem))
    print(f"{made.template} and {made.code} ({made.code.stat().st_size / 1e6:.1f} MB)")
