"""Some calls of the generated client, for the type checker."""

from usher_client import AuthenticatedClient
from usher_client.api.api_keys import get_current_api_key
from usher_client.api.users import create_user, get_user, list_users, update_user
from usher_client.models import ListUserDetails, NewUser, User, UserDetails, UserPatch


def journey(key: str) -> UserDetails:
    client = AuthenticatedClient(base_url="http://127.0.0.1:8000", token=key)
    body = NewUser(name="Ada", email="ada@example.com", age=36)
    made = create_user.sync(client=client, body=body, idempotency_key="1")
    assert isinstance(made, User)
    number: int = made.id
    update_user.sync(number, client=client, body=UserPatch(age=None), if_match='"1"')
    page = list_users.sync(client=client, limit=10)
    assert isinstance(page, ListUserDetails)
    names: list[str] = [user.name for user in page.data]
    assert names and get_current_api_key.sync(client=client)
    shown = get_user.sync(number, client=client)
    assert isinstance(shown, UserDetails)
    return shown
