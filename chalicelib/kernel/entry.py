"""The door of every Lambda that is not a route: log context, one count per run, errors raised again.

A blueprint's background function is packaged under its own module, where `app.py` and its middleware never
run (aws/chalice#1566), so each wears this decorator itself.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from chalicelib.kernel.errors import HandoverError

LOG = Logger(service="handover")
METRICS = Metrics(namespace="handover", service="handover")


def background(
    function: Callable[[dict[str, Any], Any], Any],
) -> Callable[[Any, Any], Any]:
    """The result goes back to the invoker; an exception is logged by name and raised, for retry and DLQ."""

    @functools.wraps(function)
    def run(event: Any, context: Any) -> Any:
        body = event.to_dict() if hasattr(event, "to_dict") else event
        LOG.append_keys(function=function.__name__)
        try:
            result = function(body, context)
            METRICS.add_metric(function.__name__ + "_ran", MetricUnit.Count, 1)
            return result
        except Exception as problem:
            METRICS.add_metric(function.__name__ + "_failed", MetricUnit.Count, 1)
            LOG.exception("background run failed", problem=type(problem).__name__)
            raise
        finally:
            METRICS.flush_metrics()

    return run


def seconds_left(context: Any) -> Callable[[], float]:
    """Of this run, by the context that AWS calls a function with."""
    return lambda: float(context.get_remaining_time_in_millis()) / 1000


@contextmanager
def refusals(**about: Any) -> Iterator[None]:
    """Whatever is refused inside is said in the log, where operations look it up: a refusal writes nothing.

    `about`: ids of who asked and what for; never a code, and nothing personal.
    """
    try:
        yield
    except HandoverError as refusal:
        LOG.info("refusal", code=refusal.code, **about, **getattr(refusal, "aside", {}))
        raise
