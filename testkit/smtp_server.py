"""The tests' SMTP server: keeps each mail as a JSON line, and misbehaves when it is told to.

    smtp_server.py PORT FILE

A recipient's local part decides what it answers (a suffix after "+" is free):
    temporary-failure   451 at RCPT TO
    no-such-user        550 at RCPT TO
    mailbox-full        552 after DATA
    policy              554 after DATA, as for a sender that is refused
    slow                250 after DATA, five seconds late
    hang-up             the connection is closed after DATA without an answer
Whoever logs in is let in, and nobody has to.
While there is a file FILE.refuse, every sender is refused with 550 at MAIL FROM.
"""

import asyncio
import email
import email.policy
import json
import os
import signal
import sys
import time

from aiosmtpd.smtp import SMTP, AuthResult

AT_RECIPIENT = {
    "temporary-failure": "451 4.3.0 Temporary failure, try again later",
    "no-such-user": "550 5.1.1 No such user here",
}
AFTER_DATA = {
    "mailbox-full": "552 5.2.2 Mailbox full",
    "policy": "554 5.7.1 Refused by policy",
}


def behaviour(recipient: str) -> str:
    return recipient.split("@")[0].split("+")[0].lower()


class Mailbox:
    def __init__(self, path: str):
        self.file = open(path, "a", encoding="utf-8", buffering=1)
        self.refuse = path + ".refuse"

    async def handle_MAIL(self, server, session, envelope, address, options):
        if os.path.exists(self.refuse):
            return "550 5.7.1 Sender refused"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = AT_RECIPIENT.get(behaviour(address))
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        for recipient in envelope.rcpt_tos:
            what = behaviour(recipient)
            if what in AFTER_DATA:
                return AFTER_DATA[what]
            if what == "slow":
                await asyncio.sleep(5)
            if what == "hang-up":
                server.transport.abort()
                return "421 closed"
        for recipient in envelope.rcpt_tos:
            self.keep(recipient, envelope)
        return "250 OK"

    def keep(self, recipient: str, envelope) -> None:
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        line = {
            "to": recipient,
            "from": envelope.mail_from,
            "message_id": str(mail.get("Message-ID", "")).strip(),
            "subject": str(mail.get("Subject", "")),
            "text": part(mail, "plain"),
            "html": part(mail, "html"),
            "headers": [[name, str(value)] for name, value in mail.items()],
            "at": time.time(),
        }
        self.file.write(json.dumps(line) + "\n")


def part(mail, kind: str) -> str:
    body = mail.get_body(preferencelist=(kind,))
    return body.get_content() if body else ""


async def main(port: int, path: str) -> None:
    mailbox = Mailbox(path)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mailbox, hostname="localhost", enable_SMTPUTF8=True, timeout=600,
                     auth_require_tls=False, authenticator=lambda *_: AuthResult(success=True)),
        "127.0.0.1", port, backlog=1024,
    )
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    server.close()


asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
