"""What doors knows of smart keys."""

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from chalicelib.doors.service import Holder
    from chalicelib.kernel.auth import Caller
    from chalicelib.kernel.errors import HandoverError
    from chalicelib.kernel.tables import Rows
    from chalicelib.smartkeys.service import Command as LeavingCommand
    from chalicelib.smartkeys.service import SmartKeyService


class SmartKeysOfDoors(Struct, frozen=True):
    """smartkeys asks doors about cars in turn, and cars need no smart key: built when a person asks."""

    smartkeys: "Callable[[], SmartKeyService]"

    def holder(self, token: str | None, at: "datetime") -> "Holder":
        return self.smartkeys().holder(token, at)

    def of_contract(self, contract_id: str, caller: "Caller", reason: str | None, at: "datetime") -> "Holder":
        return self.smartkeys().holder_of(contract_id, caller, reason, at)

    def sees(self, contract_id: str, caller: "Caller", _at: "datetime") -> None:
        self.smartkeys().sees(contract_id, caller)

    def still(self, look: "Rows", command: "LeavingCommand") -> "Callable[[datetime], HandoverError | None]":
        return self.smartkeys().still(look, command)
