"""Issuing smart keys, handing them over by link, and telling who may act on a car."""

from chalicelib.smartkeys.service.grants import Issued
from chalicelib.smartkeys.service.ports import Command, Party, Store
from chalicelib.smartkeys.service.sessions import SmartKeyService

__all__ = ["Command", "Issued", "Party", "SmartKeyService", "Store"]
