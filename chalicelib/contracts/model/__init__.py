"""A contract from the signature to its end: how it lives, what it is, whom it names and what it may be given.

Access is this context's axis; billing is another's, because nobody pays while locked out.
"""

from chalicelib.contracts.model.cars import *  # noqa: F403
from chalicelib.contracts.model.contract import *  # noqa: F403
from chalicelib.contracts.model.errors import *  # noqa: F403
from chalicelib.contracts.model.life import *  # noqa: F403
from chalicelib.contracts.model.people import *  # noqa: F403
from chalicelib.contracts.model.plans import *  # noqa: F403
from chalicelib.contracts.model.timers import *  # noqa: F403
from chalicelib.contracts.model.values import *  # noqa: F403
