"""Send a command once, believe the car's answer, and never claim more than is known.

`doors`: commands, and what cars say. `desk`: what operations may stop and look up.
"""

from chalicelib.doors.service.desk import DoorDesk
from chalicelib.doors.service.doors import DoorService
from chalicelib.doors.service.ports import Cars, Holder, Holders, Publisher, Store

__all__ = ["Cars", "DoorDesk", "DoorService", "Holder", "Holders", "Publisher", "Store"]
