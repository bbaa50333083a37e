"""What every client of the API does and a generator of requests does not know: which credential an operation takes,
and that each operation gets an Idempotency-Key of its own."""

import json
import os
import urllib.request
import uuid

import schemathesis

URL, KEY = os.environ["API_URL"], os.environ["API_KEY"]
PERSON = {"email": os.environ["EMAIL"], "password": os.environ["PASSWORD"]}


def credential_of(case, _context=None):
    """The security scheme of the operation, if it has one."""
    schemes = case.operation.definition.raw.get("security") or [{}]
    return next(iter(schemes[0]), None)


# Log-out and its like end the session; the next request then logs in again.
@schemathesis.auth(refresh_interval=3600, cache_by_key=credential_of, retry_on=[401])
class Credential:
    def get(self, case, _context):
        match credential_of(case):
            case "apiKey":
                return KEY
            case "accessToken":
                request = urllib.request.Request(
                    f"{URL}/auth/login", json.dumps(PERSON).encode(), {"Content-Type": "application/json"}
                )
                with urllib.request.urlopen(request) as answer:
                    return json.load(answer)["access_token"]
        return None

    def set(self, case, token, _context):
        if token:
            case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.hook
def before_call(_context, case, _kwargs):
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and 1 <= len(key) <= 255 and key.isascii() and key.isprintable() and " " not in key:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
