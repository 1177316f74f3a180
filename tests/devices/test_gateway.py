"""What AWS IoT is told when a certificate has ended, in which order, and what is borne."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from chalicelib.devices.gateway import IotRegistry
from tests.devices.world import CAR, certificate

ID = certificate(1)
ARN = f"arn:aws:iot:ap-northeast-2:123456789012:cert/{ID}"
DESCRIBED = {"certificateDescription": {"certificateArn": ARN}}
CUT = {"clientId": CAR, "cleanSession": True, "preventWillMessage": True}


class Cloud:
    def __init__(self) -> None:
        make: Any = boto3.client
        self.iot, self.data = make("iot"), make("iot-data")
        self.control, self.plane = Stubber(self.iot), Stubber(self.data)
        self.registry = IotRegistry(lambda: self.iot, lambda: self.data)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    cloud = Cloud()
    with cloud.control, cloud.plane:
        yield cloud
        cloud.control.assert_no_pending_responses()
        cloud.plane.assert_no_pending_responses()


def told(cloud: Cloud, status: str) -> None:
    cloud.control.add_response("describe_certificate", DESCRIBED, {"certificateId": ID})
    cloud.control.add_response("update_certificate", {}, {"certificateId": ID, "newStatus": status})
    cloud.control.add_response("detach_thing_principal", {}, {"thingName": CAR, "principal": ARN})


def test_a_replaced_certificate_is_inactive_and_the_new_ones_connection_is_left_alone(cloud: Cloud) -> None:
    told(cloud, "INACTIVE")
    assert cloud.registry.end(ID, CAR, revoked=False) is False


def test_a_revoked_certificates_connection_and_session_end_at_once(cloud: Cloud) -> None:
    told(cloud, "REVOKED")
    cloud.plane.add_response("delete_connection", {}, CUT)
    assert cloud.registry.end(ID, CAR, revoked=True) is True


def test_where_the_connection_cannot_be_cut_the_certificate_is_revoked_all_the_same(cloud: Cloud) -> None:
    told(cloud, "REVOKED")
    cloud.plane.add_client_error("delete_connection", "ForbiddenException", "", 403, expected_params=CUT)
    assert cloud.registry.end(ID, CAR, revoked=True) is False


def test_what_is_already_gone_is_borne(cloud: Cloud) -> None:
    cloud.control.add_client_error("describe_certificate", "ResourceNotFoundException", http_status_code=404)
    assert cloud.registry.end(ID, CAR, revoked=False) is False
    cloud.control.add_response("describe_certificate", DESCRIBED, {"certificateId": ID})
    cloud.control.add_response("update_certificate", {}, {"certificateId": ID, "newStatus": "INACTIVE"})
    cloud.control.add_client_error("detach_thing_principal", "ResourceNotFoundException", "", 404)
    assert cloud.registry.end(ID, CAR, revoked=False) is False


@pytest.mark.parametrize("code", ["ThrottlingException", "UnauthorizedException", "InternalFailureException"])
def test_what_is_not_sure_is_raised_so_that_it_is_told_again(cloud: Cloud, code: str) -> None:
    cloud.control.add_response("describe_certificate", DESCRIBED, {"certificateId": ID})
    cloud.control.add_client_error("update_certificate", code)
    with pytest.raises(ClientError):
        cloud.registry.end(ID, CAR, revoked=True)
