"""Whatever happens in whatever order, what must never be is not: a rule-based machine on the memory store."""

from contextlib import suppress
from datetime import timedelta
from itertools import count

from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chalicelib.kernel.errors import HandoverError
from chalicelib.smartkeys.model import LINK_TRIES, ProofWrong, State
from tests.conftest import Hands
from tests.smartkeys.examples import (
    BORN,
    HANA,
    KIM,
    PHONE,
    Contracts,
    Press,
    admitted,
    order,
    service_on,
    still,
)
from tests.smartkeys.memory import MemorySmartKeys
from tests.smartkeys.test_share import gift

causes = some.sampled_from(["evt_late", "evt_wrong_key", "evt_wrong_address", "evt_late_again"])
numbers = some.integers(0, 3)


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock, self.ids, self.store = Hands(), count(1), MemorySmartKeys()
        self.service = service_on(self.store, self.clock, lambda p: f"{p}_{next(self.ids)}")
        self.codes: dict[tuple[str, int], str] = {}
        self.sessions: dict[str, str] = {}
        self.opened: dict[str, set[str]] = {}
        self.wrong: dict[str, int] = {}

    def learn_codes(self) -> None:
        for grant in self.store.grants.values():
            with suppress(HandoverError):
                link = self.service.link(grant.grant_id, grant.send_no)
                self.codes[grant.grant_id, grant.send_no] = link.code

    @rule(cause=causes)
    def strand(self, cause: str) -> None:
        self.service.rescue(KIM, "KeyShipmentEscalated", cause)
        self.learn_codes()

    @rule(number=numbers, days=some.integers(1, 9))
    def operations_issue(self, number: int, days: int) -> None:
        until = self.clock() + timedelta(days=days)
        with suppress(HandoverError):
            self.service.issue(order(f"o{number}", not_after=until, fingerprint=f"fp{number}"))
        self.learn_codes()

    @rule()
    def ask_for_a_link(self) -> None:
        with suppress(HandoverError):
            self.service.resend(PHONE, BORN, None)
        self.learn_codes()

    @rule(number=numbers, right=some.booleans(), key=some.sampled_from([None, "k1", "k2"]))
    def exchange(self, number: int, right: bool, key: str | None) -> None:
        if not self.codes:
            return
        code = list(self.codes.values())[-1 - number % len(self.codes)]
        try:
            token = self.service.exchange(code, BORN if right else "000000", key)
        except ProofWrong:
            if code not in self.opened:
                self.wrong[code] = self.wrong.get(code, 0) + 1
        except HandoverError:
            pass
        else:
            assert right
            self.opened.setdefault(code, set()).add(token)

    @rule(number=numbers, right=some.booleans())
    def step_up(self, number: int, right: bool) -> None:
        tokens = [token for tokens in self.opened.values() for token in tokens]
        if tokens:
            with suppress(HandoverError):
                self.service.step_up(tokens[number % len(tokens)], BORN if right else "000000")

    @rule(number=numbers)
    def customer_shares(self, number: int) -> None:
        with suppress(HandoverError):
            self.service.share(gift(f"g{number}"), HANA)
        self.learn_codes()

    @rule(car_id=some.sampled_from(["car-0001", "car-0009"]))
    def the_car_is_swapped(self, car_id: str) -> None:
        assert isinstance(self.service.contracts, Contracts)
        self.service.contracts.change(car_id=car_id)
        self.service.follow(KIM)

    @rule()
    def bills_go_unpaid(self) -> None:
        self.service.end(KIM, "BillingBlocked", self.clock())

    @rule()
    def operations_revoke(self) -> None:
        for grant in self.service.of_contract(KIM):
            with suppress(HandoverError):
                self.service.revoke(KIM, grant.grant_id, by="olga")

    @rule(hours=some.sampled_from([0.1, 1, 25, 24 * 8]))
    def time_passes(self, hours: float) -> None:
        self.clock.move(hours=hours)

    @invariant()
    def a_holder_has_at_most_one_live_grant(self) -> None:
        live = [grant.holder for grant in self.service.of_contract(KIM) if grant.state == State.LIVE]
        assert len(live) == len(set(live))

    @invariant()
    def what_was_given_opens_nothing_once_its_giver_cannot(self) -> None:
        grants = {grant.grant_id: grant for grant in self.service.of_contract(KIM)}
        for grant in grants.values():
            if grant.given_by and grants[grant.given_by].state != State.LIVE:
                assert still(
                    self.service,
                    Press(grant.grant_id, car_id=grant.car_id, contract_id=grant.contract_id),
                    self.clock(),
                )

    @invariant()
    def every_log_is_whole(self) -> None:
        for grant_id in self.store.grants:
            assert self.service.log(KIM, grant_id, 0, 1000).whole

    @invariant()
    def a_code_opens_at_most_one_session(self) -> None:
        assert all(len(tokens) == 1 for tokens in self.opened.values())

    @invariant()
    def no_code_is_guessed_at_more_than_five_times(self) -> None:
        assert all(times <= LINK_TRIES for times in self.wrong.values())

    @invariant()
    def a_session_opens_nothing_once_its_grant_has_ended(self) -> None:
        live = {grant.grant_id for grant in self.service.of_contract(KIM) if grant.state == State.LIVE}
        for tokens in self.opened.values():
            for token in tokens:
                with suppress(HandoverError):
                    assert admitted(self.service, token, self.clock()).grant_id in live

    @invariant()
    def every_link_that_was_made_was_announced_once(self) -> None:
        links = [fact.data for fact in self.store.facts if fact.type == "SmartKeyLinkIssued"]
        told = sorted((each["grant_id"], each["send_no"]) for each in links)
        made = sorted((g.grant_id, n) for g in self.store.grants.values() for n in range(1, g.send_no + 1))
        assert told == made


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)
