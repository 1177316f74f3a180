"""Cars and the keys that open them."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace


class Assignment(Struct, frozen=True):
    """A car, and which of its keys is sent."""

    car_id: str
    key_tag: str


class CarName(Struct, frozen=True):
    """How people tell a car from others. A car's never changes, so a contract keeps it."""

    plate: str
    model: str


class KeyNews(Struct, frozen=True):
    """The latest that was heard of a key: lost, or made useless by new locks."""

    key_tag: str
    lost: bool
    at: datetime


class Car(Struct, frozen=True):
    """`key_tags`: the tags on its physical keys. `contract_id`: whose it is now, None while it is free."""

    car_id: str
    plate: str
    model: str
    key_tags: tuple[str, ...]
    contract_id: str | None = None
    key_news: tuple[KeyNews, ...] = ()

    def same_as(self, other: "Car") -> bool:
        return replace(self, contract_id=None, key_news=()) == replace(other, contract_id=None, key_news=())

    @property
    def name(self) -> CarName:
        return CarName(self.plate, self.model)

    @property
    def blocked(self) -> bool:
        """Whoever found a lost key could open it."""
        return any(news.lost for news in self.key_news)

    def heard(self, news: KeyNews) -> "Car":
        """Itself when that is old news: what happened later counts, whenever it is heard."""
        known = {each.key_tag: each for each in self.key_news}
        before = known.get(news.key_tag)
        if before is not None and before.at >= news.at:
            return self
        return replace(self, key_news=tuple({**known, news.key_tag: news}.values()))
