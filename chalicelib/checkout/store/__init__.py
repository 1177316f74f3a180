"""The table `<stage>-checkout`.

| pk                     | sk                 | row                                                     |
|------------------------|--------------------|---------------------------------------------------------|
| CHECKOUT#<checkout_id> | CHECKOUT           | one reservation and what became of it, kept for ever    |
| CLAIM#<kind>#<ref>     | CLAIM              | by which one checkout this is paid, or is being paid    |
| PAYMENT#<payment_id>   | PAYMENT            | one charge; `card_token` is there only while it is open |
| PAYMENT#<payment_id>   | REFUND#<refund_id> | a part of it that goes back                             |
| FACT#<checkout_id>     | <time>#<id>        | a published fact: that a card was declined              |

The record's insertion is the fact CheckoutReserved; captured, released and refunded are facts in rows of the
ledger, written in the same transaction.

Index `due` (due_shard, due_at) holds reservations with coupon or points, and whatever is being paid, until it
is paid or given back; payments and refunds while the gateway's last word is missing.
"""

from chalicelib.checkout.store.checkouts import CheckoutStore
from chalicelib.checkout.store.items import CheckoutItem, checkout_of
from chalicelib.checkout.store.payments import PaymentStore

__all__ = ["CheckoutItem", "CheckoutStore", "PaymentStore", "checkout_of"]
