"""A real mail server for the tests: STARTTLS and a log-in are asked for before any mail.

    python3 smtpd.py LIBRARY FOLDER CERTIFICATE KEY

Prints its port, keeps each mail as a file in FOLDER, and ends when its standard input does."""

import asyncio
import os
import ssl
import sys

library, folder, certificate, key = sys.argv[1:]
sys.path.insert(0, library)
from aiosmtpd.smtp import SMTP, AuthResult  # noqa: E402


class Keep:
    count = 0

    async def handle_DATA(self, server, session, envelope):
        Keep.count += 1
        head = f"X-From: {envelope.mail_from}\nX-To: {','.join(envelope.rcpt_tos)}\n".encode()
        path = os.path.join(folder, f"{Keep.count}.eml")
        with open(path + ".part", "wb") as file:
            file.write(head + envelope.content)
        os.rename(path + ".part", path)
        return "250 kept"


def log_in(server, session, envelope, mechanism, data):
    right = (data.login, data.password) == (b"flagship", b"mail-s3cr3t")
    return AuthResult(success=right)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)


def session():
    return SMTP(
        Keep(), hostname="localhost", tls_context=context, require_starttls=True,
        auth_required=True, authenticator=log_in)


async def serve():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(serve())
