"""Smart keys on DynamoDB, table `<stage>-smartkeys`.

| pk | sk | holds |
|---|---|---|
| GRANT#<grant_id> | GRANT | the grant and its log's head; `issued_on` (day in Seoul) and `grant_id` make the index `issued`, without the grants of staff |
| LOG#<grant_id> | <number> | a line of its log, with the fact it publishes |
| CONTRACT#<contract_id> | HOLDER#<holder> | the holder's latest grant, and all of them, oldest first; `gone` when nobody of that name gets a new one |
| CONTRACT#<contract_id> | OVER | only staff get a new grant |
| PERSON#<contract_id> | <holder> | somebody operations named: name, phone and proof, in one attribute |
| ORDER#<order_id> | ORDER | an order's fingerprint and what became of it, kept for ever |
| ASK#<ask_id> | ASK | a new link was made for this request |
| CODE#<sha256 of the code> | CODE | a link: tries left, expiry, who used it when |
| SESSION#<sha256 of the token> | SESSION | a session |
| PHONE#<keyed hash> | GRANT#<grant_id> | a grant that this phone may ask a link for |
| PHONE#<keyed hash> | ASKS | when it last asked |

Codes, sessions, phones and people go by TTL, a day after their use is over; asks after a month, logs after two years.
"""  # noqa: E501

from chalicelib.smartkeys.store.grants import GrantStore
from chalicelib.smartkeys.store.links import LinkStore


class SmartKeyStore(GrantStore, LinkStore):
    """All of it: one table."""


__all__ = ["SmartKeyStore"]
