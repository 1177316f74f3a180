"""What a use case that may be asked twice answers."""

from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Done(Struct, Generic[T], frozen=True):
    """`replayed`: an earlier request had done it, and this one changed nothing."""

    value: T
    replayed: bool = False
