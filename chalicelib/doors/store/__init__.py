"""The table `<stage>-doors`. `items`: the rows. `doors`: what is read and written together."""

from chalicelib.doors.store.doors import DoorStore

__all__ = ["DoorStore"]
