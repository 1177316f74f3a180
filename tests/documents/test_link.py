"""A link opens one document, for its customer, for five minutes, and never without a trace."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from chalicelib.documents.model import Kind, NoDocument
from chalicelib.kernel.errors import NotFound, TooLarge, Unsupported
from tests.documents.conftest import World, kept
from tests.documents.examples import JPEG, KIM, LEE, NEW_PDF, OLGA, PDF, PNG

COPY = Kind.CONTRACT_COPY
CERTIFICATE = Kind.REGISTRATION_CERTIFICATE


def test_every_link_is_in_the_log_with_who_when_what_and_from_where(world: World) -> None:
    document = world.service.keep_copy("con_kim")
    link = world.service.link("con_kim", "contract_copy", KIM, "203.0.113.7", "Phone/1.0")
    assert document.key in link.url
    assert link.expires_at == world.clock() + timedelta(minutes=5)
    (access,) = world.accesses()
    assert (access.customer_id, access.kind, access.sha256) == ("kim", COPY, document.sha256)
    assert (access.at, access.ip, access.agent) == (world.clock(), "203.0.113.7", "Phone/1.0")


def test_a_link_that_cannot_be_logged_is_not_given(world: World) -> None:
    world.service.keep_copy("con_kim")

    class Broken(type(world.store)):  # type: ignore[misc]
        def log(self, access: object) -> None:
            raise OSError

    store = Broken()
    store.__dict__.update(vars(world.store))
    with pytest.raises(OSError):  # noqa: PT011
        replace(world.service, store=store).link("con_kim", "contract_copy", KIM, "", "")


def test_another_s_document_is_not_there(world: World) -> None:
    world.service.keep_copy("con_kim")
    for who in (LEE, OLGA):
        with pytest.raises(NotFound):
            world.service.link("con_kim", "contract_copy", who, "", "")
        with pytest.raises(NotFound):
            world.service.listed("con_kim", who)
    assert world.accesses() == []


@pytest.mark.parametrize("kind", ["contract_copy", "passport", "", "CONTRACT_COPY"])
def test_what_there_is_not_has_no_link(world: World, kind: str) -> None:
    with pytest.raises(NoDocument):
        world.service.link("con_kim", kind, KIM, "", "")
    assert world.accesses() == []


def test_a_certificate_is_the_customer_s_while_the_contract_has_that_car(world: World) -> None:
    document = world.service.keep_registration("car-kim", PDF).value
    assert document.key in world.service.link("con_kim", "registration_certificate", KIM, "", "").url
    assert world.service.listed("con_kim", KIM)[CERTIFICATE]
    world.contracts.cars["con_kim"] = None
    with pytest.raises(NoDocument):
        world.service.link("con_kim", "registration_certificate", KIM, "", "")
    assert not world.service.listed("con_kim", KIM)[CERTIFICATE]


def test_after_a_swap_the_certificate_is_the_new_car_s(world: World) -> None:
    world.service.keep_registration("car-kim", PDF)
    other = world.service.keep_registration("car-lee", PNG).value
    world.contracts.cars["con_kim"] = "car-lee"
    assert other.key in world.service.link("con_kim", "registration_certificate", KIM, "", "").url


def test_a_new_certificate_takes_the_old_one_s_place(world: World) -> None:
    old = world.service.keep_registration("car-kim", PDF)
    again = world.service.keep_registration("car-kim", PDF)
    new = world.service.keep_registration("car-kim", NEW_PDF)
    assert (old.replayed, again.replayed, new.replayed) == (False, True, False)
    assert again.value == old.value
    assert kept(new.value, world) == NEW_PDF
    assert new.value.key in world.service.link("con_kim", "registration_certificate", KIM, "", "").url


@pytest.mark.parametrize(
    ("body", "kind"), [(PDF, "application/pdf"), (PNG, "image/png"), (JPEG, "image/jpeg")]
)
def test_a_file_is_what_its_first_bytes_say(world: World, body: bytes, kind: str) -> None:
    assert world.service.keep_registration("car-kim", body).value.content_type == kind


@pytest.mark.parametrize("body", [b"<html><script>", b" %PDF-1.7", b"GIF89a", b"\xff\xd8", b"PK\x03\x04"])
def test_no_other_file_is_kept(world: World, body: bytes) -> None:
    with pytest.raises(Unsupported):
        world.service.keep_registration("car-kim", body)


def test_a_large_file_and_an_unknown_car_are_refused(world: World) -> None:
    world.service.keep_registration("car-kim", PDF.ljust(200_000))
    with pytest.raises(TooLarge):
        world.service.keep_registration("car-kim", PDF.ljust(200_001))
    with pytest.raises(NotFound):
        world.service.keep_registration("car-nobody", PDF)
