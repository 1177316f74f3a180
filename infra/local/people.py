"""Users of the deployed user pool: made, and signed in as their browser would sign them in."""

import contextlib
import secrets
import string
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class User:
    username: str
    password: str


def create(cognito: Any, pool_id: str, username: str, groups: tuple[str, ...] = ()) -> User:
    """A confirmed user with a random password; one that exists already gets a new password."""
    letters = string.ascii_letters + string.digits
    password = "".join(secrets.choice(letters) for _ in range(20)) + "!9aZ"
    with contextlib.suppress(cognito.exceptions.UsernameExistsException):
        cognito.admin_create_user(UserPoolId=pool_id, Username=username, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool_id, Username=username, Password=password, Permanent=True)
    for group in groups:
        cognito.admin_add_user_to_group(UserPoolId=pool_id, Username=username, GroupName=group)
    return User(username, password)


def subject(cognito: Any, pool_id: str, user: User) -> str:
    """The `sub` by which the API knows them."""
    found = cognito.admin_get_user(UserPoolId=pool_id, Username=user.username)["UserAttributes"]
    return str(next(each["Value"] for each in found if each["Name"] == "sub"))


def sign_in(cognito: Any, client_id: str, user: User) -> str:
    """The id token."""
    answer = cognito.initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH",
        ClientId=client_id,
        AuthParameters={"USERNAME": user.username, "PASSWORD": user.password},
    )
    return str(answer["AuthenticationResult"]["IdToken"])
