"""What is written in two places says the same in both."""

import ast
import json
import re
from collections.abc import Iterator

import pytest

from infra import rules
from infra.package import ROOT, SERVICES

CONFIG = json.loads((ROOT / ".chalice" / "config.json").read_text())
CONFIGURED = CONFIG["stages"]["main"]["lambda_functions"]
MERGED = rules.load(ROOT / "infra" / "app.yaml")


def background_functions() -> set[str]:
    """As the handlers declare them; app.py registers every handler."""
    from app import app

    return {function.name for function in app.pure_lambda_functions}


def test_every_function_is_configured_and_no_other() -> None:
    assert {*background_functions(), "api_handler"} == CONFIGURED.keys()


def test_every_function_has_a_policy_file_of_its_own() -> None:
    files = [function["iam_policy_file"] for function in CONFIGURED.values()]
    assert len(set(files)) == len(files)
    there = {f"policies/{path.name}" for path in (ROOT / ".chalice" / "policies").iterdir()}
    assert set(files) == there


def test_no_function_adds_rights_by_itself() -> None:
    assert CONFIG["autogen_policy"] is False


def test_every_fact_a_rule_listens_to_has_a_sample() -> None:
    listened = {
        kind for _, rule in rules_with_patterns() for kind in rule["EventPattern"].get("detail-type", ())
    }
    samples = {path.stem for path in (ROOT / "events" / "facts").glob("*.json")}
    assert listened <= samples


def test_every_fact_a_rule_listens_to_comes_from_where_it_listens() -> None:
    for name, rule in rules_with_patterns():
        for kind in rule["EventPattern"].get("detail-type", ()):
            source = json.loads((ROOT / "events" / "facts" / f"{kind}.json").read_text())["source"]
            assert source in rule["EventPattern"]["source"], name


def rules_with_patterns() -> Iterator[tuple[str, rules.Document]]:
    for name, resource in MERGED["Resources"].items():
        if "EventPattern" in resource.get("Properties", {}):
            yield name, resource["Properties"]


def test_every_table_s_stream_is_carried_to_the_bus() -> None:
    tables = rules.load(ROOT / "infra" / "tables.yaml")
    exported = {output["Export"]["Name"]["Fn::Sub"] for output in tables["Outputs"].values()}
    imported = {
        resource["Properties"]["EventSourceArn"]["Fn::ImportValue"]["Fn::Sub"]
        for resource in MERGED["Resources"].values()
        if resource.get("Type") == "AWS::Lambda::EventSourceMapping"
        and "Fn::ImportValue" in resource["Properties"]["EventSourceArn"]  # the others are queues
    }
    assert imported == exported


def test_the_zip_carries_every_service_the_code_asks_for() -> None:
    assert clients_asked_for() <= SERVICES


def clients_asked_for() -> set[str]:
    """Every name in `client("...")` or `partial(client, "...")` below chalicelib."""
    called = re.compile(r"\bclient(?:\(|, )['\"]([\w-]+)")
    return {name for path in (ROOT / "chalicelib").rglob("*.py") for name in called.findall(path.read_text())}


def test_app_py_names_handlers_and_imports_no_context() -> None:
    imported = {
        node.module
        for node in ast.walk(ast.parse((ROOT / "app.py").read_text()))
        if isinstance(node, ast.ImportFrom)
    }
    assert imported == {"importlib", "chalicelib.kernel.http", "chalicelib.rooms"}


def test_every_sweep_of_deadlines_is_watched() -> None:
    """Doors settles commands of seconds, and its own age is a matter of one run."""
    sweeps = {name.removesuffix("_sweep") for name in CONFIGURED if name.endswith("_sweep")} - {"doors"}
    alarms = {
        (
            resource["Properties"]["MetricName"],
            each["Value"] if isinstance(each["Value"], str) else each["Value"]["Ref"],
        )
        for resource in MERGED["Resources"].values()
        if resource.get("Type") == "AWS::CloudWatch::Alarm"
        for each in resource["Properties"]["Dimensions"]
        if isinstance(each["Value"], str) or "Ref" in each["Value"]
    }
    assert {("oldest_due_seconds", sweep) for sweep in sweeps} <= alarms
    assert {("Invocations", f"{sweep.capitalize()}Sweep") for sweep in sweeps} <= alarms


@pytest.mark.parametrize("lock", ["requirements-dev.lock", "infra/local/emulator.lock"])
def test_a_lock_names_versions_and_hashes_only(lock: str) -> None:
    lines = (ROOT / lock).read_text().splitlines()
    assert not [
        line
        for line in lines
        if "://" in line or (line.strip().startswith(("-", "/")) and "--hash=" not in line)
    ]


def test_the_zip_s_versions_are_the_tested_ones() -> None:
    tested = (ROOT / "requirements-dev.lock").read_text()
    pins = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line]
    assert [pin for pin in pins if f"{pin} \\" not in tested] == []
