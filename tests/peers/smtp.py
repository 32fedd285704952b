# An SMTP server (aiosmtpd) on a free port of 127.0.0.1, with AUTH, and TLS from the first byte or by STARTTLS.
# Arguments: how ("tls", "starttls", "plain"), certificate, key. Prints its port when it listens, and a line for every message that is begun;
# ends when its standard input does.
import base64
import json
import socket
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, SMTP, Session

how, certificate, key = sys.argv[1:4]
WRONG = "535 5.7.8 Authentication credentials invalid"


class Handler:
    async def handle_MAIL(self, server, session: Session, envelope, address, options):
        print("MAIL", flush=True)
        return "550 nothing is to be sent"

    # The mechanism is Google's; the library knows PLAIN and LOGIN.
    async def auth_XOAUTH2(self, server: SMTP, args: list):
        said = base64.b64decode(args[1]).decode()
        if said == "user=ada@example.com\x01auth=Bearer good-Token-77\x01\x01":
            return AuthResult(success=True, auth_data=said)
        report = json.dumps({"status": "400", "schemes": "Bearer", "scope": "https://mail.example.com/"}).encode()
        blob = await server.challenge_auth(report, encode_to_b64=True)
        if blob != b"":
            return AuthResult(success=False, handled=False, message="501 5.5.2 an empty answer was due")
        return AuthResult(success=False, handled=False)


def authenticate(server, session, envelope, mechanism, data):
    good = mechanism in ("PLAIN", "LOGIN") and data.login == b"ada@example.com" and data.password == b"open-Sesame-9"
    return AuthResult(success=good, handled=False)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)


class Server(Controller):
    def factory(self):
        tls = {"tls_context": context, "require_starttls": True} if how == "starttls" else {}
        return SMTP(self.handler, authenticator=authenticate, auth_require_tls=how == "starttls", auth_required=True, **tls)


with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
controller = Server(Handler(), hostname="127.0.0.1", port=port, ssl_context=context if how == "tls" else None)
controller.start()
print(port, flush=True)
sys.stdin.read()
controller.stop()
