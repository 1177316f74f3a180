"""What is put on the running emulator: the three stacks and the demo data."""

import hashlib
import urllib.request
from typing import Any

from infra import parking
from infra.bootstrap import CARRIERS
from infra.deploy import Deployer
from infra.local import demo, people, place
from infra.local.car import Broker
from infra.local.client import Api
from infra.local.place import LOCAL, client
from infra.local.things import THINGS, workshop
from infra.package import ROOT, package

CA_FILE = LOCAL / "ca.pem"
SOURCES = ("app.py", "requirements.txt", "chalicelib/**/*", ".chalice/**/*.json", "infra/*")
"""What a deploy is made of."""


def sources() -> str:
    """Changes when a deploy would."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in SOURCES for path in ROOT.glob(pattern)):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def deploy(known: dict[str, Any]) -> dict[str, Any]:
    """What `.local/stack.json` will say; `known` is what it said before.

    The app goes twice: the address of the API, which texts carry, is known only when the API is there.
    """
    say("packaging the Lambdas")
    made = package(LOCAL / "package")
    say("deploying tables, app and IoT")
    deployer = Deployer(place.session(), place.STAGE, place.ENDPOINT)
    deployer.tables()
    parameters = {
        "CognitoEndpoint": place.ENDPOINT,
        "PaymentsUrl": place.OFFICES_URL,
        "OfficesUrl": place.OFFICES_URL,
        "PartnersUrl": place.OFFICES_URL,
        "OptOutNumber": "080-000-0000",
    }
    outputs = deployer.app(made, parameters)
    site = f"http://{outputs['RestAPIId']}.execute-api.localhost:{place.PORT}/api"
    deployer.app(made, {**parameters, "SiteUrl": site})
    deployer.iot()
    _fetch_ca()
    return _filled(outputs, site, known)


def _fetch_ca() -> None:
    """The trust root of the emulator's MQTT listener."""
    with urllib.request.urlopen(f"{place.ENDPOINT}/_ministack/iot/ca.pem", timeout=10) as answer:
        CA_FILE.write_bytes(answer.read())


def _filled(outputs: dict[str, str], site: str, known: dict[str, Any]) -> dict[str, Any]:
    """Users keep their passwords as long as the stack is up."""
    say("loading the demo data")
    pool = {"id": outputs["PoolId"], "client_id": outputs["PoolClientId"]}
    api_url = f"{place.ENDPOINT}/restapis/{outputs['RestAPIId']}/api/_user_request_"
    cognito = client("cognito-idp")
    users = known.get("users") or demo.users(cognito, pool["id"])
    ops = people.sign_in(cognito, pool["client_id"], people.User(**users["ops"]))
    sponsor = people.subject(cognito, pool["id"], people.User(**users["sponsor"]))
    broker = Broker(place.HOST, place.MQTT_PORT, str(CA_FILE))
    demo.load(Api(api_url, token=ops), workshop(), broker, sponsor)
    parking.load(client("dynamodb"), place.STAGE, parking.SAMPLE)
    return {
        "api_url": api_url,
        "site_url": site,
        "aws": {
            "endpoint_url": place.ENDPOINT,
            "region": place.REGION,
            "access_key_id": place.KEY_ID,
            "secret_access_key": place.SECRET_KEY,
        },
        "user_pool": pool,
        "users": users,
        "sms_outbox_url": f"{place.ENDPOINT}/_ministack/sns/sms-messages",
        "carriers": {name: {"webhook_secret": _secret(f"carrier-{name}")} for name in CARRIERS},
        "outside": {"payments_url": place.OFFICES_URL, "offices_url": place.OFFICES_URL},
        "mqtt": {"host": place.HOST, "port": place.MQTT_PORT, "ca_file": str(CA_FILE)},
        "things": {folder.name: {"dir": str(folder)} for folder in sorted(THINGS.iterdir())},
    }


def _secret(name: str) -> str:
    answer = client("secretsmanager").get_secret_value(SecretId=f"{place.STAGE}/handover/{name}")
    return str(answer["SecretString"])


def say(what: str) -> None:
    """A step that takes a while, for whoever waits."""
    print(f"  {what} ...", flush=True)
