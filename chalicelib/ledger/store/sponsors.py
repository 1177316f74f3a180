"""Who pays which campaign, whose people are whose, and statements that were closed."""

from collections.abc import Iterator, Sequence

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.kernel import tables
from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.tables import AllOrNothing
from chalicelib.ledger.model import (
    OthersPerson,
    Sponsor,
    Sponsored,
    SponsorKnown,
    Statement,
    StatementChanged,
)

PAGE = 100


class SponsorItem(tables.Item):
    class Meta:
        table_name = tables.table_name("ledger")

    name = UnicodeAttribute()


class SponsoredItem(tables.Item):
    class Meta:
        table_name = tables.table_name("ledger")

    campaign_id = UnicodeAttribute()
    name = UnicodeAttribute()
    sponsor_id = UnicodeAttribute(null=True)
    percent = NumberAttribute()
    created_at = UnicodeAttribute()


class PersonItem(tables.Item):
    class Meta:
        table_name = tables.table_name("ledger")

    sponsor_id = UnicodeAttribute()


class StatementItem(tables.Item):
    class Meta:
        table_name = tables.table_name("ledger")

    digest = UnicodeAttribute()


class SponsorStore:
    """The store of `service.settlements.Store` on DynamoDB."""

    def add_sponsor(self, sponsor: Sponsor) -> None:
        write = AllOrNothing()
        item = SponsorItem(f"SPONSOR#{sponsor.sponsor_id}", "SPONSOR", name=sponsor.name)
        write.put(item, only_if=SponsorItem.pk.does_not_exist(), otherwise=SponsorKnown)
        write.commit()

    def sponsor(self, sponsor_id: str) -> Sponsor | None:
        item = SponsorItem.load(f"SPONSOR#{sponsor_id}", "SPONSOR")
        return Sponsor(sponsor_id, item.name) if item else None

    def add_person(self, subject: str, sponsor_id: str) -> None:
        write = AllOrNothing()
        write.put(
            PersonItem(f"PERSON#{subject}", "PERSON", sponsor_id=sponsor_id),
            only_if=PersonItem.pk.does_not_exist() | (PersonItem.sponsor_id == sponsor_id),
            otherwise=OthersPerson,
        )
        write.commit()

    def sponsor_of(self, subject: str) -> str | None:
        item = PersonItem.load(f"PERSON#{subject}", "PERSON")
        return item.sponsor_id if item else None

    def add_campaign(self, campaign: Sponsored) -> None:
        write = AllOrNothing()
        write.put(_item("CAMPAIGNS", campaign))
        if campaign.sponsor_id:
            write.put(_item(f"SPONSOR#{campaign.sponsor_id}", campaign))
        write.commit()

    def campaign(self, campaign_id: str) -> Sponsored | None:
        item = SponsoredItem.load("CAMPAIGNS", f"CAMPAIGN#{campaign_id}")
        return _campaign(item) if item else None

    def campaigns(self, sponsor_id: str) -> list[Sponsored]:
        mine = SponsoredItem.sk.startswith("CAMPAIGN#")
        return [_campaign(item) for item in SponsoredItem.query(f"SPONSOR#{sponsor_id}", mine)]

    def campaigns_behind(self, campaign_id: str | None) -> Iterator[Sequence[Sponsored]]:
        behind = SponsoredItem.sk > f"CAMPAIGN#{campaign_id}" if campaign_id else None
        for page in SponsoredItem.query("CAMPAIGNS", behind, page_size=PAGE).page_iter:
            yield [_campaign(SponsoredItem.from_raw_data(raw)) for raw in page["Items"]]

    def close(self, statement: Statement) -> None:
        write = AllOrNothing()
        write.put(
            StatementItem(f"STATEMENT#{statement.sponsor_id}", statement.period, digest=statement.digest),
            only_if=StatementItem.pk.does_not_exist() | (StatementItem.digest == statement.digest),
            otherwise=StatementChanged,
        )
        write.commit()


def _item(pk: str, campaign: Sponsored) -> SponsoredItem:
    return SponsoredItem(
        pk,
        f"CAMPAIGN#{campaign.campaign_id}",
        campaign_id=campaign.campaign_id,
        name=campaign.name,
        sponsor_id=campaign.sponsor_id,
        percent=campaign.percent,
        created_at=stamp(campaign.created_at),
    )


def _campaign(item: SponsoredItem) -> Sponsored:
    return Sponsored(item.campaign_id, item.name, item.sponsor_id, int(item.percent), moment(item.created_at))
