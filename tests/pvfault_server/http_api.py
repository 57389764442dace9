"""Requests as an HTTP API of API Gateway hands them to a function, and its answers as a client gets them."""

import base64
import json
from urllib.parse import parse_qsl, unquote

HOST = "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com"


def event_of(path, *, method="GET", body=None, cookies=(), signed_by=None, **headers):
    """An event of payload format 2.0 with every field that AWS documents, in the form in which it documents them.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html: names of
    headers in small letters, repeated parameters joined by commas beside the raw query, cookies apart.
    """
    path, _, query = path.partition("?")
    told = {
        "accept": "*/*", "content-length": str(len(body or "")), "host": HOST, "user-agent": "curl/8.11.0",
        "x-amzn-trace-id": "Root=1-674b2f10-5f84c7a9b1c2d3e4f5a6b7c8", "x-forwarded-for": "203.0.113.7",
        "x-forwarded-port": "443", "x-forwarded-proto": "https",
        **{name.lower().replace("_", "-"): value for name, value in headers.items()},
    }  # fmt: skip
    parameters = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters.setdefault(name, []).append(value)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        **({"cookies": list(cookies)} if cookies else {}),
        "headers": told,
        **({"queryStringParameters": {name: ",".join(all_) for name, all_ in parameters.items()}} if query else {}),
        "requestContext": {
            "accountId": "123456789012",
            **({"authorizer": {"iam": _identity(signed_by)}} if signed_by else {}),
            "apiId": HOST.split(".")[0],
            "domainName": HOST,
            "domainPrefix": HOST.split(".")[0],
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": told["user-agent"],
            },
            "requestId": "CBwIfgXTliAEMJg=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "30/Nov/2026:10:15:30 +0000",
            "timeEpoch": 1796033730000,
        },
        **({"body": body} if body is not None else {}),
        "isBase64Encoded": False,
    }


def _identity(arn):
    """Whom an HTTP API has let in by IAM, with every field that the payload has for it."""
    return {
        "accessKey": "AKIAIOSFODNN7EXAMPLE", "accountId": "123456789012", "callerId": "AIDACKCEVSQ6C2EXAMPLE",
        "cognitoIdentity": None, "principalOrgId": "o-a1b2c3d4e5", "userArn": arn, "userId": "AIDACKCEVSQ6C2EXAMPLE",
    }  # fmt: skip


class Answer:
    """What a client gets of a function's answer, which the runtime has sent as JSON."""

    def __init__(self, sent):
        self.sent = json.loads(json.dumps(sent))
        assert set(self.sent) <= {"statusCode", "headers", "body", "isBase64Encoded", "cookies"}
        self.status = self.sent["statusCode"]
        self.headers = self.sent["headers"]
        self.content = (
            base64.b64decode(self.sent["body"]) if self.sent["isBase64Encoded"] else self.sent["body"].encode()
        )

    def json(self):
        return json.loads(self.content)


def path_of(link):
    """The path that a header `Link` leads to."""
    return unquote(link.partition("<")[2].partition(">")[0])
