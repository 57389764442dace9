"""How a Kafka client reaches the broker.

There is one description, and a form of it for each client library: Java's, which Spark uses, and librdkafka, which the
gateway uses. Nothing here connects: a cluster is asked for its brokers, and tokens are signed, in
`pvfault_gateway.msk`.
"""

from dataclasses import dataclass

# Names inside aws-msk-iam-auth, which stands on the class path of jobs on AWS.
_IAM_PACKAGE = "software.amazon.msk.auth.iam"


@dataclass(frozen=True)
class BrokerAccess:
    """Where brokers listen, and how they know a client.

    Attributes
    ----------
    servers : str
        Bootstrap servers, `host:port[,host:port]`.
    iam_region : str
        Region of an Amazon MSK cluster that knows its clients by IAM, over TLS; empty for a broker that asks nothing.
    """

    servers: str
    iam_region: str = ""

    def java_options(self) -> dict[str, str]:
        """Properties of a Java client; Spark's source takes them with `kafka.` before each name.

        The client signs with the role of its process, and renews by itself.
        """
        options = {"bootstrap.servers": self.servers}
        if self.iam_region:
            options |= {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "AWS_MSK_IAM",
                "sasl.jaas.config": f"{_IAM_PACKAGE}.IAMLoginModule required;",
                "sasl.client.callback.handler.class": f"{_IAM_PACKAGE}.IAMClientCallbackHandler",
            }
        return options

    def librdkafka_options(self) -> dict[str, str]:
        """Settings of a librdkafka client.

        With IAM it also needs an `oauth_cb` that signs tokens: librdkafka has no mechanism AWS_MSK_IAM, and MSK takes
        the same signature as a bearer token.
        """
        options = {"bootstrap.servers": self.servers}
        if self.iam_region:
            options |= {"security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER"}
        return options
