"""What can be rented, and at what price."""

from msgspec import Struct

from chalicelib.contracts.model.errors import TermNotOffered, UnknownPlan
from chalicelib.kernel.money import Won


class Words(Struct, frozen=True):
    """For people who never owned a car. `good_for`: what it is the right size for."""

    name: str
    car_class: str
    luggage: str
    fuel: str
    good_for: str


class Plan(Struct, frozen=True):
    """`terms`: (months, monthly fee), shortest first. `example`: a model of this class."""

    plan_id: str
    seats: int
    example: str
    ko: Words
    en: Words
    terms: tuple[tuple[int, Won], ...]

    def words(self, language: str) -> Words:
        return self.en if language == "en" else self.ko

    def monthly_fee(self, months: int) -> Won:
        for offered, fee in self.terms:
            if offered == months:
                return fee
        raise TermNotOffered(
            f"{self.plan_id} is offered for {', '.join(str(m) for m, _ in self.terms)} months"
        )


PLANS = (
    Plan(
        "first-car",
        4,
        "Casper",
        Words(
            "첫 차",
            "경형 SUV",
            "기내용 캐리어 2개",
            "휘발유",
            "혼자 또는 둘이 다니는 출퇴근, 좁은 골목과 주차",
        ),
        Words(
            "First car",
            "City SUV",
            "2 cabin bags",
            "Petrol",
            "Commuting alone or as two; narrow streets and easy parking",
        ),
        ((3, 490_000), (6, 460_000), (12, 430_000)),
    ),
    Plan(
        "family",
        7,
        "Carnival",
        Words("패밀리", "대형 승합", "큰 여행 가방 4개", "휘발유", "아이가 있는 가족, 유모차와 캠핑 짐"),
        Words(
            "Family",
            "Large van",
            "4 large suitcases",
            "Petrol",
            "Families with children; a pushchair and camping gear",
        ),
        ((3, 790_000), (6, 750_000), (12, 700_000)),
    ),
    Plan(
        "electric",
        5,
        "IONIQ 5",
        Words(
            "전기차",
            "중형 전기 SUV",
            "큰 여행 가방 2개",
            "전기",
            "집이나 회사에서 충전할 수 있는 분, 긴 출퇴근",
        ),
        Words(
            "Electric",
            "Mid-size electric SUV",
            "2 large suitcases",
            "Electric",
            "Who can charge at home or at work; long commutes",
        ),
        ((3, 690_000), (6, 650_000), (12, 610_000)),
    ),
    Plan(
        "promotion",
        4,
        "Ray",
        Words("첫 달 프로모션", "경형", "기내용 캐리어 3개", "휘발유", "차가 처음이라 먼저 타 보고 싶은 분"),
        Words("Promotion", "City car", "3 cabin bags", "Petrol", "Trying out what owning a car is like"),
        ((3, 390_000), (6, 370_000), (12, 350_000)),
    ),
)
"""The price list; a contract keeps the fee it was signed at."""


def plan_named(plan_id: str) -> Plan:
    for plan in PLANS:
        if plan.plan_id == plan_id:
            return plan
    raise UnknownPlan()
