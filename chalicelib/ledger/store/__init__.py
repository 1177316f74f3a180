"""The table `<stage>-ledger`.

| pk                               | sk                   | row                                        |
|----------------------------------|----------------------|--------------------------------------------|
| BOOK#<book>#<month in Seoul>#<n> | <time>#<cause>       | an entry, its mark, and the fact it is     |
| OF#<kind>#<id>                   | <time>#<checkout_id> | a checkout of this customer, order, coupon |
| CAMPAIGNS                        | CAMPAIGN#<campaign>  | a campaign, and who pays it                |
| SPONSOR#<sponsor_id>             | SPONSOR              | a sponsor                                  |
| SPONSOR#<sponsor_id>             | CAMPAIGN#<campaign>  | a campaign it pays                         |
| PERSON#<subject>                 | PERSON               | whose person this is                       |
| STATEMENT#<sponsor_id>           | <period>             | the digest of a closed settlement          |
| DAY#<book>                       | <day>                | spent on a day before the checkpoint       |
| CHECKPOINT#<book>                | <until>              | accounts as they stood, and their digest   |
| RUN#<run_id>                     | RUN                  | a reconciliation; its insert is a fact     |
| RUNS                             | <time>#<run_id>      | it, among the others                       |
| REPAIR#<run_id>                  | <number>             | the repair of one difference               |
| REPAIRED#<row> <account>         | REPAIRED             | when this account was last repaired        |
| FACT#<run_id>                    | <time>#<id>          | a published fact                           |

A book is a campaign's id, or `-`. `n`: one of eight partitions, by the checkout.
"""

from chalicelib.ledger.store.books import Books, BookStore
from chalicelib.ledger.store.runs import RunStore
from chalicelib.ledger.store.sponsors import SponsorStore

__all__ = ["BookStore", "Books", "RunStore", "SponsorStore"]
