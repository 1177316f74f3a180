"""Grants, links and sessions: what each may do, and for how long.

A grant is the permission; a link hands it to its holder's phone once; a session is the phone that opened it.
A contract's holder has at most one live grant. Codes and session tokens are derived from one secret with HMAC
and never stored, only their SHA-256: so a text can be sent again, and a lost answer given again.
"""

from chalicelib.smartkeys.model.endings import *  # noqa: F403
from chalicelib.smartkeys.model.errors import *  # noqa: F403
from chalicelib.smartkeys.model.grants import *  # noqa: F403
from chalicelib.smartkeys.model.links import *  # noqa: F403
from chalicelib.smartkeys.model.people import *  # noqa: F403
from chalicelib.smartkeys.model.shown import *  # noqa: F403
from chalicelib.smartkeys.model.watch import *  # noqa: F403
