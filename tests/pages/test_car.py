"""Four buttons, and never more said than is known."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.pages.answers import COMMAND, COMMANDS, ENDED, KEY, command, key
from tests.pages.site import LOST, Reply, Site, problem

UNLOCK, LOCK, HORN = "문 열기", "문 잠그기", "경적 울리기"


def press(page: Page, name: str = UNLOCK) -> None:
    """As a finger does: also on a button that is held."""
    page.get_by_role("button", name=name, exact=True).click(force=True)


def says(page: Page, text: str) -> None:
    expect(page.locator("#say")).to_have_text(text, timeout=10_000)


def idle(page: Page, name: str, is_disabled: bool) -> None:
    button = page.get_by_role("button", name=name, exact=True)
    expect(button).to_have_attribute("aria-disabled", "true" if is_disabled else "false")


def test_the_car_is_named_and_shows_whether_it_is_connected(at_the_car: Page, site: Site) -> None:
    expect(at_the_car.get_by_role("heading", name="Avante 12가 3456")).to_be_visible()
    expect(at_the_car.locator("#seen")).to_have_text("차와 연결됨")
    expect(at_the_car.locator("#until")).to_have_text("3월 9일 오후 11:59까지 쓸 수 있어요.")


def test_a_car_out_of_reach_shows_when_it_was_last_heard(page: Page, site: Site) -> None:
    site.says(KEY, key(online=False, last_seen="2020-03-02T03:00:00Z"))
    page.goto(f"{site.url}/k")
    expect(page.locator("#seen")).to_contain_text("차와 연결되지 않음 · 마지막 신호")
    site.says(KEY, key(online=False, last_seen=None))
    page.reload()
    expect(page.locator("#seen")).to_contain_text("아직 받은 신호가 없어요")


def test_every_step_of_an_unlock_is_said_in_words(at_the_car: Page, site: Site) -> None:
    said: list[str] = []
    at_the_car.expose_function("heard", lambda text: said.append(text))
    at_the_car.evaluate(
        "new MutationObserver(() => heard(document.getElementById('say').textContent))"
        ".observe(document.getElementById('say'), {childList: true})"
    )
    site.says(COMMANDS, command("REQUESTED"))
    site.says(COMMAND, command("SENT"), command("DELIVERED"), command("SUCCEEDED"))
    press(at_the_car)
    says(at_the_car, "문이 열렸어요")
    assert said == ["보내고 있어요", "차로 보냈어요", "차에 전달됐어요", "문이 열렸어요"]
    live = at_the_car.get_by_role("status").filter(has=at_the_car.locator("#say"))
    expect(live).to_have_attribute("aria-live", "polite")
    (sent,) = site.asked(COMMANDS)
    assert sent.body == {"action": "unlock"}
    assert sent.headers["idempotency-key"]


@pytest.mark.parametrize(
    ("name", "action", "done"),
    [
        (LOCK, "lock", "문을 잠갔어요"),
        ("비상등 켜기", "hazard_on", "비상등을 켰어요"),
        (HORN, "horn", "경적을 울렸어요"),
    ],
)
def test_each_button_sends_its_action(
    at_the_car: Page, site: Site, name: str, action: str, done: str
) -> None:
    site.says(COMMANDS, command("SUCCEEDED"))
    press(at_the_car, name)
    says(at_the_car, done)
    assert [sent.body for sent in site.asked(COMMANDS)] == [{"action": action}]


def test_hazard_lights_go_off_again_with_the_same_button(at_the_car: Page, site: Site) -> None:
    site.says(COMMANDS, command("SUCCEEDED"))
    press(at_the_car, "비상등 켜기")
    press(at_the_car, "비상등 끄기")
    says(at_the_car, "비상등을 껐어요")
    assert [sent.body["action"] for sent in site.asked(COMMANDS)] == ["hazard_on", "hazard_off"]


def test_a_car_that_cannot_be_reached_says_that_nothing_was_sent_and_what_next(
    at_the_car: Page, site: Site
) -> None:
    site.says(COMMANDS, command("NOT_SENT", "VEHICLE_OFFLINE"))
    press(at_the_car)
    says(at_the_car, "차와 연결할 수 없어요")
    expect(at_the_car.locator("#more")).to_contain_text("차에 아무것도 보내지 않았어요")
    expect(at_the_car.locator("#more")).to_contain_text("1분 뒤에 다시 눌러 주세요")
    idle(at_the_car, UNLOCK, is_disabled=False)


def test_a_refusal_gives_the_reason_of_the_car(at_the_car: Page, site: Site) -> None:
    site.says(COMMANDS, command("SENT"))
    site.says(COMMAND, command("REJECTED", "DOOR_OPEN"))
    press(at_the_car, LOCK)
    says(at_the_car, "열려 있는 문이 있어요")
    expect(at_the_car.locator("#more")).to_have_text("문이 열려 있어요. 모든 문을 닫고 다시 눌러 주세요.")


def test_a_refusal_before_sending_speaks_the_language_of_the_page(at_the_car: Page, site: Site) -> None:
    busy = {"code": "BUSY", "messages": {"ko": "차가 앞의 명령을 처리하고 있어요.", "en": "Busy."}}
    site.says(COMMANDS, Reply(503, busy))
    press(at_the_car)
    expect(at_the_car.locator("#more")).to_have_text("차가 앞의 명령을 처리하고 있어요.")
    assert len(site.asked(COMMANDS)) == 1


def test_not_sure_asks_to_look_at_the_car_and_holds_the_button_until_then(
    at_the_car: Page, site: Site
) -> None:
    site.says(COMMANDS, command("SENT"))
    site.says(COMMAND, command("UNKNOWN", "DEVICE_TIMEOUT", may_have_executed=True))
    press(at_the_car)
    says(at_the_car, "확실하지 않아요. 차를 봐 주세요")
    expect(at_the_car.locator("#more")).to_contain_text("바로 다시 누르지 말고")
    idle(at_the_car, UNLOCK, is_disabled=True)
    idle(at_the_car, LOCK, is_disabled=False)
    press(at_the_car)
    assert len(site.asked(COMMANDS)) == 1
    press(at_the_car, "차를 확인했어요")
    idle(at_the_car, UNLOCK, is_disabled=False)


def test_a_late_answer_of_the_car_ends_the_doubt(at_the_car: Page, site: Site) -> None:
    site.says(COMMANDS, command("UNKNOWN", may_have_executed=True))
    site.says(COMMAND, command("UNKNOWN", may_have_executed=True), command("SUCCEEDED", late=True))
    press(at_the_car)
    says(at_the_car, "문이 열렸어요")
    expect(at_the_car.locator("#more")).to_have_text("차의 답이 늦게 도착했어요.")
    idle(at_the_car, UNLOCK, is_disabled=False)


def test_a_failure_that_may_have_happened_is_not_called_a_failure(at_the_car: Page, site: Site) -> None:
    site.says(COMMANDS, command("FAILED", "DEVICE_FAULT", may_have_executed=True))
    press(at_the_car)
    says(at_the_car, "확실하지 않아요. 차를 봐 주세요")


def test_a_press_whose_answer_is_lost_is_sent_again_as_the_same_command(at_the_car: Page, site: Site) -> None:
    site.says(COMMANDS, LOST, problem(503, "BUSY", Retry_After="1"), command("SUCCEEDED"))
    press(at_the_car)
    says(at_the_car, "문이 열렸어요")
    assert len({sent.headers["idempotency-key"] for sent in site.asked(COMMANDS)}) == 1


def test_after_ten_seconds_without_an_answer_nothing_more_is_sent_and_we_are_not_sure(
    page: Page, site: Site
) -> None:
    page.clock.install()
    site.says(KEY, key())
    site.says(COMMANDS, LOST)
    page.goto(f"{site.url}/k")
    press(page)
    for _ in range(12):
        page.clock.run_for(1000)
        page.wait_for_timeout(50)
    says(page, "확실하지 않아요. 차를 봐 주세요")
    sent = len(site.asked(COMMANDS))
    page.clock.run_for(30_000)
    assert len(site.asked(COMMANDS)) == sent


def test_a_car_that_stays_silent_becomes_not_sure_before_the_server_says_so(page: Page, site: Site) -> None:
    page.clock.install()
    site.says(KEY, key())
    site.says(COMMANDS, command("SENT"))
    site.says(COMMAND, command("SENT"))
    page.goto(f"{site.url}/k")
    press(page)
    says(page, "차로 보냈어요")
    for _ in range(25):
        page.clock.run_for(1000)
        page.wait_for_timeout(30)
    says(page, "확실하지 않아요. 차를 봐 주세요")


def test_polling_slows_down(page: Page, site: Site) -> None:
    page.clock.install()
    site.says(KEY, key())
    site.says(COMMANDS, command("SENT"))
    site.says(COMMAND, command("SENT"))
    page.goto(f"{site.url}/k")
    press(page)
    for _ in range(80):
        page.clock.run_for(250)
        page.wait_for_timeout(5)
    assert 3 <= len(site.asked(COMMAND)) <= 12


def test_locking_is_allowed_while_an_unlock_is_on_its_way_and_the_horn_is_not(
    at_the_car: Page, site: Site
) -> None:
    site.says(COMMANDS, command("SENT"))
    site.says(COMMAND, command("SENT"))
    press(at_the_car)
    says(at_the_car, "차로 보냈어요")
    idle(at_the_car, HORN, is_disabled=True)
    press(at_the_car, HORN)
    press(at_the_car, LOCK)
    says(at_the_car, "차로 보냈어요")
    assert [sent.body["action"] for sent in site.asked(COMMANDS)] == ["unlock", "lock"]


def test_too_many_presses_say_how_long_to_wait(at_the_car: Page, site: Site) -> None:
    site.says(COMMANDS, problem(429, "RATE_LIMITED", Retry_After="17"))
    press(at_the_car)
    says(at_the_car, "조금 천천히 눌러 주세요")
    expect(at_the_car.locator("#more")).to_contain_text("17초")


def test_a_session_that_ended_leads_to_a_new_link(at_the_car: Page, site: Site) -> None:
    site.says(COMMANDS, ENDED)
    site.says(KEY, ENDED)
    press(at_the_car)
    expect(at_the_car.locator("#renew-why")).to_contain_text("이 스마트키는 여기서 끝났어요")


def test_without_internet_nothing_is_sent_and_the_page_says_so(
    phone: BrowserContext, at_the_car: Page, site: Site
) -> None:
    phone.set_offline(True)
    expect(at_the_car.locator("#offline")).to_be_visible()
    press(at_the_car)
    says(at_the_car, "휴대폰이 인터넷에 연결되지 않았어요")
    phone.set_offline(False)
    expect(at_the_car.locator("#offline")).to_be_hidden()
    assert site.asked(COMMANDS) == []


def test_only_the_actions_of_the_grant_have_buttons(page: Page, site: Site) -> None:
    allowed = key()
    allowed.body["actions"] = ["unlock", "lock"]
    site.says(KEY, allowed)
    page.goto(f"{site.url}/k")
    page.wait_for_selector("#plate:visible")
    expect(page.locator("[data-action]:visible")).to_have_count(2)


def test_a_service_that_does_not_answer_offers_another_try(page: Page, site: Site) -> None:
    site.says(KEY, problem(500, "INTERNAL"), key())
    page.goto(f"{site.url}/k")
    expect(page.get_by_role("heading", name="잠시 연결되지 않아요")).to_be_visible()
    page.get_by_role("button", name="다시 시도").click()
    page.wait_for_selector("#plate:visible")
