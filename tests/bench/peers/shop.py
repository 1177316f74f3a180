"""A django-oscar shop in the race; run by the peers' own Python, and nothing of ours is imported here.

`python -m tests.bench.peers.shop <folder of PostgreSQL's socket>` reads its task as JSON and answers with one
line of JSON. An order is placed as oscar's own checkout view places it (offers applied, basket frozen,
`OrderCreator.place_order`, basket submitted), in one transaction as its documentation recommends, but without
HTTP, session and mail. Its product keeps no stock, so that nothing is fought for but the budget.
"""

import json
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import django
import oscar
from django.conf import settings
from oscar import defaults

OFFER, CANCELLED = "race", "Cancelled"
FEE = Decimal(370_000)
FORK = multiprocessing.get_context("fork")
WAIT_SECONDS = 120.0
Told = dict[str, Any]


def opened(socket: str) -> None:
    database = {"ENGINE": "django.db.backends.postgresql", "HOST": socket, "NAME": "peers", "USER": "peers"}
    oscars = {name: value for name, value in vars(defaults).items() if name.startswith("OSCAR_")}
    settings.configure(
        **oscars
        | {
            "SECRET_KEY": "bench",
            "DATABASES": {"default": database},
            "INSTALLED_APPS": oscar.INSTALLED_APPS,
            "SITE_ID": 1,
            "USE_TZ": True,
            "DEFAULT_AUTO_FIELD": "django.db.models.AutoField",
            "HAYSTACK_CONNECTIONS": {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}},
            "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
            "OSCAR_DEFAULT_CURRENCY": "KRW",
            "OSCAR_INITIAL_ORDER_STATUS": "Pending",
            "OSCAR_ORDER_STATUS_PIPELINE": {"Pending": (CANCELLED,), CANCELLED: ()},
            "LOGGING_CONFIG": None,
        }
    )
    django.setup()


def staged(buyers: int, budget: int, amount: int) -> list[int]:
    """An offer with a money cap, and for every buyer a basket that has a code of it; the baskets' ids."""
    from django.contrib.auth import get_user_model
    from django.db import transaction
    from django.utils.timezone import now
    from oscar.core.loading import get_class, get_model
    from oscar.test.factories import create_product

    everything, _ = get_model("offer", "Range").objects.get_or_create(
        name="everything", includes_all_products=True
    )
    offer = get_model("offer", "ConditionalOffer").objects.create(
        name=f"{OFFER} {time.time_ns()}",
        offer_type="Voucher",
        max_discount=budget,
        max_basket_applications=1,
        condition=get_model("offer", "Condition").objects.create(type="Count", value=1, range=everything),
        benefit=get_model("offer", "Benefit").objects.create(type="Absolute", value=amount, range=everything),
    )
    product = create_product(price=FEE, num_in_stock=10**9)
    product.product_class.track_stock = False
    product.product_class.requires_shipping = False
    product.product_class.save()
    strategy = get_class("partner.strategy", "Default")()
    vouchers = get_model("voucher", "Voucher").objects
    baskets = []
    with transaction.atomic():
        for number in range(buyers):
            name = f"{offer.pk} {number}"
            user = get_user_model().objects.create(username=name, email=f"{offer.pk}-{number}@example.com")
            voucher = vouchers.create(
                name=name,
                code=f"{offer.pk}-{number}",
                usage="Single use",
                start_datetime=now() - timedelta(days=1),
                end_datetime=now() + timedelta(days=1),
            )
            voucher.offers.add(offer)
            basket = get_model("basket", "Basket").objects.create(owner=user)
            basket.strategy = strategy
            basket.add_product(product)
            basket.vouchers.add(voucher)
            baskets.append(basket.pk)
    return baskets


def checkout(basket_id: int) -> str:
    """Granted, or refused: the shop would take the order without a discount, and the buyer leaves."""
    from django.db import transaction
    from oscar.core.loading import get_class, get_model

    shipping = get_class("shipping.methods", "NoShippingRequired")()
    with transaction.atomic():
        basket = get_model("basket", "Basket").objects.select_related("owner").get(pk=basket_id)
        basket.strategy = get_class("partner.strategy", "Default")()
        get_class("offer.applicator", "Applicator")().apply(basket, basket.owner)
        if not basket.offer_discounts and not basket.voucher_discounts:
            return "refused"
        number = get_class("order.utils", "OrderNumberGenerator")().order_number(basket)
        basket.freeze()
        charge = shipping.calculate(basket)
        total = get_class("checkout.calculators", "OrderTotalCalculator")().calculate(basket, charge)
        get_class("order.utils", "OrderCreator")().place_order(
            basket, total, shipping, charge, user=basket.owner, order_number=number
        )
        basket.submit()
    return "granted"


def attempt(basket_id: int) -> str:
    try:
        return checkout(basket_id)
    except Exception as problem:
        return type(problem).__name__


def counted(baskets: list[int], amount: int) -> Told:
    """What stands in the tables of the orders made of these baskets, and what the offer itself counted."""
    from oscar.core.loading import get_model

    orders = get_model("order", "Order").objects.filter(basket_id__in=baskets)
    discounts = get_model("order", "OrderDiscount").objects.filter(order__in=orders)
    offer = get_model("offer", "ConditionalOffer").objects.latest("pk")
    return {
        "orders": orders.count(),
        "granted": discounts.filter(amount=amount).count(),
        "won": int(sum(each.amount for each in discounts)),
        "counter": int(offer.total_discount),
    }


def raced(baskets: list[int], processes: int) -> Told:
    """Every basket is tried once."""
    start_line = FORK.Barrier(processes, timeout=WAIT_SECONDS)

    def buy(number: int) -> Told:
        connected()
        start_line.wait()
        started = last_grant = time.monotonic()
        heard: Counter[str] = Counter()
        for basket in baskets[number::processes]:
            answer = attempt(basket)
            heard[answer] += 1
            last_grant = time.monotonic() if answer == "granted" else last_grant
        return {"heard": heard, "started": started, "last_grant": last_grant}

    results = in_processes(processes, buy)
    started = min(result["started"] for result in results)
    heard: Counter[str] = sum((result["heard"] for result in results), Counter())
    return {"heard": heard, "seconds": max(result["last_grant"] for result in results) - started}


def twice(baskets: list[int], processes: int) -> Told:
    """Every basket is sent by two processes at the same moment."""
    pairs = processes // 2
    meetings = [FORK.Barrier(2, timeout=WAIT_SECONDS) for _ in range(pairs)]

    def buy(number: int) -> Told:
        connected()
        heard: Counter[str] = Counter()
        for basket in baskets[number % pairs :: pairs]:
            meetings[number % pairs].wait()
            heard[attempt(basket)] += 1
        return {"heard": heard}

    results = in_processes(pairs * 2, buy)
    return {"heard": sum((result["heard"] for result in results), Counter())}


def cancelled(baskets: list[int]) -> None:
    """By the way oscar has: a status, and stock given back."""
    from oscar.core.loading import get_class, get_model

    handler = get_class("order.processing", "EventHandler")()
    for order in get_model("order", "Order").objects.filter(basket_id__in=baskets):
        handler.cancel_stock_allocations(order)
        handler.handle_order_status_change(order, CANCELLED)


def connected() -> None:
    from django.db import connection

    connection.ensure_connection()


def in_processes(count: int, work: Callable[[int], Told]) -> list[Told]:
    from django.db import connections

    connections.close_all()

    def run(number: int, end: Any) -> None:
        end.send(work(number))

    children = []
    for number in range(count):
        here, there = FORK.Pipe(duplex=False)
        child = FORK.Process(target=run, args=(number, there), daemon=True)
        child.start()
        there.close()
        children.append((child, here))
    results = [here.recv() for _, here in children]
    for child, _ in children:
        child.join()
    return results


def main() -> None:
    opened(sys.argv[1])
    from django.core.management import call_command

    task = json.load(sys.stdin)
    budget, amount, processes = task["budget"], task["amount"], task["processes"]
    call_command("migrate", verbosity=0)
    baskets = staged(task["attempts"], budget, amount)
    race = raced(baskets, processes)
    race |= counted(baskets, amount)
    baskets = staged(task["orders"], budget, amount)
    doubled = twice(baskets, processes)
    doubled |= counted(baskets, amount)
    cancelled(baskets)
    after = counted(baskets, amount)
    print(json.dumps({"race": race, "twice": doubled, "restored": doubled["counter"] - after["counter"]}))


if __name__ == "__main__":
    main()
