"""A stand-in for Amazon MSK: a real Kafka broker behind what Amazon puts in front of it.

Here: the gate that speaks TLS and knows clients by the signature of their AWS credentials, with both of MSK's
mechanisms (AWS_MSK_IAM of Java clients, OAUTHBEARER of others), and the API that tells where a cluster's brokers are.
After the sign-in the gate hands on bytes as they are. Signatures are checked after AWS' specification, without any code
of AWS.
Not here: authorization of single topics, MSK's quotas.
"""

import asyncio
import base64
import hashlib
import hmac
import http.server
import json
import ssl
import struct
import subprocess
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from botocore.session import get_session
from botocore.validate import ParamValidator
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pvfault_gateway import broker as kafka

SASL_HANDSHAKE, SASL_AUTHENTICATE, API_VERSIONS = 17, 36, 18
AUTHENTICATION_FAILED, UNSUPPORTED_MECHANISM = 58, 33
MECHANISMS = ("AWS_MSK_IAM", "OAUTHBEARER")
TRUSTSTORE_PASSWORD = "changeit"  # noqa: S105 it protects nothing: a certificate is public


@dataclass(frozen=True)
class SignIn:
    """One sign-in that the gate accepted.

    Attributes
    ----------
    mechanism, access_key, host, signature : str
        `host` is what the signature was made for.
    ends : datetime
        When the signature ends.
    """

    mechanism: str
    access_key: str
    host: str
    signature: str
    ends: datetime


class SignInRefusedError(Exception):
    """The gate does not let the client in; the message goes to the client."""


@dataclass
class Gate:
    """TLS and IAM before a broker that asks nothing.

    Attributes
    ----------
    secrets : dict of str to str
        Secret key of each access key that exists.
    port, behind : int
        Where clients connect, and where the broker expects what came through.
    region : str
    accepted : list of SignIn
    refused : list of tuple of str
        Mechanism and reason of each sign-in that was refused.
    """

    secrets: dict[str, str]
    port: int
    behind: int
    region: str
    accepted: list[SignIn] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)

    async def serve(self, certificate: Path, ready: threading.Event, stop: asyncio.Event) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        server = await asyncio.start_server(self._connection, "127.0.0.1", self.port, ssl=context)
        ready.set()
        await stop.wait()
        server.close()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _connection(self, reader, writer):
        broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", self.behind)
        answers = asyncio.create_task(_copy(broker_reader, writer))
        try:
            await self._requests(reader, writer, broker_writer)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass  # the client is gone
        finally:
            answers.cancel()
            for each in (writer, broker_writer):
                each.close()
                with suppress(ConnectionError, ssl.SSLError):
                    await each.wait_closed()

    async def _requests(self, reader, writer, broker_writer):
        """Hand on requests; answer those of the sign-in, and end a connection whose sign-in has ended."""
        ends, mechanism = None, None
        while True:
            size = await reader.readexactly(4)
            request = await reader.readexactly(int.from_bytes(size))
            key, version = struct.unpack_from(">hh", request)
            if key == SASL_HANDSHAKE:
                mechanism = _string(request, _after_client_id(request))
                _answer(writer, request, _handshake(mechanism))
            elif key == SASL_AUTHENTICATE:
                ends, answer = self._authenticate(mechanism, request, version)
                _answer(writer, request, answer)
            elif key == API_VERSIONS or (ends is not None and datetime.now(UTC) < ends):
                broker_writer.write(size + request)
                await broker_writer.drain()
            else:
                return

    def _authenticate(self, mechanism, request, version):
        """When the sign-in ends, and the answer to it."""
        try:
            signed_in, answer = self._check(mechanism, _auth_bytes(request, version))
        except SignInRefusedError as error:
            self.refused.append((mechanism, str(error)))
            return None, _authenticated(version, AUTHENTICATION_FAILED, str(error), b"", 0)
        self.accepted.append(signed_in)
        lifetime_ms = int((signed_in.ends - datetime.now(UTC)).total_seconds() * 1000)
        return signed_in.ends, _authenticated(version, 0, None, answer, lifetime_ms)

    def _check(self, mechanism, payload):
        """Who signs in, by the form of each mechanism."""
        if mechanism == "OAUTHBEARER":
            token = dict(part.split(b"=", 1) for part in payload.split(b"\1") if b"=" in part)[b"auth"].split()[1]
            url = urlsplit(base64.urlsafe_b64decode(token + b"=" * (-len(token) % 4)).decode())
            return self._check_signature(mechanism, url.netloc, dict(parse_qsl(url.query))), b""
        fields = json.loads(payload)
        if fields["version"] != "2020_10_22":
            raise SignInRefusedError(f"unknown version {fields['version']}")
        names = {"action": "Action", "x-amz-signedheaders": "X-Amz-SignedHeaders"}
        query = {
            names.get(name, "-".join(part.capitalize() for part in name.split("-"))): value
            for name, value in fields.items()
            if name.startswith(("x-amz-", "action"))
        }
        answer = {"version": "2020_10_22", "request-id": "stand-in"}
        return self._check_signature(mechanism, fields["host"], query), json.dumps(answer).encode()

    def _check_signature(self, mechanism, host, query):
        """Signature Version 4 of a query, computed anew from its parts."""
        signature = query.pop("X-Amz-Signature")
        query.pop("User-Agent", None)
        access_key, day, region, service, end = query["X-Amz-Credential"].split("/")
        signed_at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        ends = signed_at + timedelta(seconds=int(query["X-Amz-Expires"]))
        if query["Action"] != "kafka-cluster:Connect" or (service, end) != ("kafka-cluster", "aws4_request"):
            raise SignInRefusedError(f"signed for {service} {query['Action']}, not for kafka-cluster:Connect")
        if region != self.region:
            raise SignInRefusedError(f"signed for {region}, this cluster is in {self.region}")
        if access_key not in self.secrets:
            raise SignInRefusedError(f"[{access_key}]: Access denied")
        if not signed_at - timedelta(minutes=5) < datetime.now(UTC) < ends:
            raise SignInRefusedError("Session token expired")
        if signature != _signature(self.secrets[access_key], day, region, service, host, query):
            raise SignInRefusedError("Signature does not match")
        return SignIn(mechanism, access_key, host, signature, ends)


def _signature(secret, day, region, service, host, query):
    """Signature Version 4 as its specification has it, of a GET of `/` that signs its host alone."""
    canonical_query = "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items())
    )
    empty = hashlib.sha256(b"").hexdigest()
    canonical = f"GET\n/\n{canonical_query}\nhost:{host}\n\nhost\n{empty}"
    scope = f"{day}/{region}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{query['X-Amz-Date']}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


async def _copy(reader, writer):
    """Hand on what the broker answers, until somebody closes."""
    with suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


# Kafka's protocol, as far as the gate has to understand it: https://kafka.apache.org/protocol


def _after_client_id(request):
    """Where a request's header ends, for headers without tags: after key, version, correlation id and client id."""
    (length,) = struct.unpack_from(">h", request, 8)
    return 10 + max(length, 0)


def _string(request, at):
    (length,) = struct.unpack_from(">h", request, at)
    return request[at + 2 : at + 2 + length].decode()


def _auth_bytes(request, version):
    at = _after_client_id(request)
    if version < 2:
        (length,) = struct.unpack_from(">i", request, at)
        return request[at + 4 : at + 4 + length]
    at += 1  # no tags in the header
    length, shift = 0, 0
    while True:
        byte = request[at]
        at += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return request[at : at + length - 1]


def _answer(writer, request, body):
    """Send an answer under the request's correlation id."""
    writer.write(struct.pack(">i", 4 + len(body)) + request[4:8] + body)


def _handshake(mechanism):
    names = b"".join(struct.pack(">h", len(name)) + name.encode() for name in MECHANISMS)
    error = 0 if mechanism in MECHANISMS else UNSUPPORTED_MECHANISM
    return struct.pack(">hi", error, len(MECHANISMS)) + names


def _authenticated(version, error, message, auth_bytes, lifetime_ms):
    text = (message or "").encode()
    if version < 2:
        body = struct.pack(">h", error)
        body += struct.pack(">h", len(text)) + text if message else struct.pack(">h", -1)
        body += struct.pack(">i", len(auth_bytes)) + auth_bytes
        return body + (struct.pack(">q", lifetime_ms) if version == 1 else b"")
    body = b"\0" + struct.pack(">h", error)
    body += _varint(len(text) + 1) + text if message else b"\0"
    return body + _varint(len(auth_bytes) + 1) + auth_bytes + struct.pack(">q", lifetime_ms) + b"\0"


def _varint(number):
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


@dataclass
class KafkaApi:
    """The one operation of Amazon's MSK API that is missing in moto: GetBootstrapBrokers.

    What it is asked and answers is held against botocore's own model of the service.

    Attributes
    ----------
    clusters : dict of str to dict
        What is answered for each cluster's ARN.
    fault : tuple of (int, str, str), optional
        Status, code and message to answer instead.
    asked : list of str
        The ARN of each request.
    """

    clusters: dict[str, dict]
    fault: tuple[int, str, str] | None = None
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> tuple[int, str | None, dict]:
        """Status, error code and body for a GET of a path."""
        arn = unquote(path.removeprefix("/v1/clusters/").removesuffix("/bootstrap-brokers"))
        operation = get_session().get_service_model("kafka").operation_model("GetBootstrapBrokers")
        assert path == operation.http["requestUri"].replace("{clusterArn}", quote(arn, safe="")), path
        self.asked.append(arn)
        if self.fault:
            status, code, message = self.fault
            return status, code, {"message": message}
        if arn not in self.clusters:
            return 404, "NotFoundException", {"message": "The requested resource doesn't exist."}
        report = ParamValidator().validate(self.clusters[arn], operation.output_shape)
        assert not report.has_errors(), report.generate_report()
        members = operation.output_shape.members
        body = {members[name].serialization["name"]: value for name, value in self.clusters[arn].items()}
        return 200, None, body

    @contextmanager
    def serve(self):
        """Serve it on a free port, whose address is given."""
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, code, body = api.answer(self.path)
                payload = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                if code:
                    self.send_header("x-amzn-ErrorType", code)
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_arguments):
                """Say nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


@dataclass(frozen=True)
class MskCluster:
    """A running stand-in.

    Attributes
    ----------
    arn, region : str
    gate : Gate
    servers : str
        What clients with IAM connect to.
    plain_servers : str
        The same broker without a gate, for a test to look behind it.
    certificate, truststore : Path
        What a client has to trust, as PEM and for Java.
    """

    arn: str
    region: str
    gate: Gate
    servers: str
    plain_servers: str
    certificate: Path
    truststore: Path


@contextmanager
def run_msk(settings, *, secrets, region="eu-west-1", java_home=None):
    """A broker on the state folder of some settings, and the gate before it; both are gone afterwards."""
    ports = [kafka.free_port() for _ in range(3)]
    assert len(set(ports)) == len(ports)
    plain, behind, port = ports
    certificate = _make_certificate(settings.home)
    truststore = _make_truststore(certificate)
    gate = Gate(secrets, port, behind, region)
    with mock.patch.object(kafka, "_SERVER_PROPERTIES", _with_a_listener(behind, port)):
        kafka.start(settings, port=plain, java_home=java_home)
    try:
        with _running(gate, certificate):
            arn = f"arn:aws:kafka:{region}:123456789012:cluster/stand-in/11111111-2222-3333-4444-555555555555-s1"
            yield MskCluster(
                arn,
                region,
                gate,
                f"localhost:{port}",
                f"localhost:{plain}",
                certificate.with_name("ca.pem"),
                truststore,
            )
    finally:
        kafka.stop(settings)


@contextmanager
def _running(gate, certificate):
    """Run the gate in a thread of its own."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(gate.serve(certificate, ready, stop),))
    thread.start()
    try:
        assert ready.wait(10)
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def _with_a_listener(behind, advertised):
    """The broker's configuration with one more listener, which tells clients to come to the gate."""
    properties = kafka._SERVER_PROPERTIES
    for old, new in (
        ("listeners=PLAINTEXT://{loopback}:{port},", f"GATE://{{loopback}}:{behind},"),
        ("advertised.listeners=PLAINTEXT://localhost:{port}", f",GATE://localhost:{advertised}"),
        ("protocol.map=PLAINTEXT:PLAINTEXT,", "GATE:PLAINTEXT,"),
    ):
        assert properties.count(old) == 1, old
        properties = properties.replace(old, old + new)
    return properties


def _make_certificate(folder):
    """A key and its certificate for `localhost` in one file, and the certificate alone in `ca.pem` beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    public = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "ca.pem").write_bytes(public)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "gate.pem"
    path.write_bytes(private + public)
    return path


def _make_truststore(certificate):
    """The certificate as Java reads it."""
    path = certificate.with_name("trust.p12")
    subprocess.run(
        ["keytool", "-importcert", "-noprompt", "-alias", "gate", "-storetype", "PKCS12", "-keystore", path,
         "-storepass", TRUSTSTORE_PASSWORD, "-file", certificate.with_name("ca.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    return path
