"""A partner that does as it is told, and remembers what it has."""

from dataclasses import dataclass, field

from chalicelib.points.model import PartnerRefused, Unanswered


@dataclass
class Office:
    """`mood`: accepts, refuses, deaf (never hears), mute (takes it, and is not heard)."""

    mood: str = "accepts"
    transfers: dict[str, int | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def transfer(self, partner_id: str, conversion_id: str, account: str, points: int) -> None:
        self.asked.append("transfer")
        if self.mood == "deaf":
            raise Unanswered()
        if conversion_id not in self.transfers:
            self.transfers[conversion_id] = None if self.mood == "refuses" else points
        if self.mood == "mute":
            raise Unanswered()
        self._answer(conversion_id)

    def find(self, partner_id: str, conversion_id: str) -> bool:
        self.asked.append("find")
        if self.mood == "silent":
            raise Unanswered()
        if conversion_id not in self.transfers:
            return False
        self._answer(conversion_id)
        return True

    @property
    def has(self) -> int:
        return sum(filter(None, self.transfers.values()))

    def _answer(self, conversion_id: str) -> None:
        if self.transfers[conversion_id] is None:
            raise PartnerRefused("unknown_member")
