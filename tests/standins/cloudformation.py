"""AWS for `pvfault deploy`: moto's server in this process, with what its CloudFormation lacks.

Here: outputs of stacks that change sets make, which moto leaves empty, the identities of resources that other stacks
refer to and moto does not make, and stacks that fail, which moto has none of. Not here: whether a resource's properties
are right: moto takes any, and cfn-lint is what looks at them (tests/infra).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch
from urllib.request import Request, urlopen

from moto.backends import get_backend
from moto.cloudformation.models import ChangeSet, CloudFormationBackend
from moto.core.common_models import CloudFormationModel
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"
ACCOUNT = "123456789012"  # moto's own


class _Named:
    """What makes a resource that is no more than its identity."""

    TYPE, NAME, IDENTITY = "", "", ""

    def __init__(self, name):
        self.name = name
        self.physical_resource_id = self.IDENTITY.format(name=name)

    @classmethod
    def cloudformation_type(cls):
        return cls.TYPE

    @classmethod
    def cloudformation_name_type(cls):
        return cls.NAME

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, *_, **__):
        return cls(resource_name)

    @classmethod
    def update_from_cloudformation_json(cls, original_resource, *_, **__):
        return original_resource


class Cluster(_Named, CloudFormationModel):
    """An MSK Serverless cluster, by an ARN of the form that MSK gives."""

    TYPE, NAME = "AWS::MSK::ServerlessCluster", "ClusterName"
    IDENTITY = f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/{{name}}/6ab3dcd8-3b1f-4b9b-8f0c-0d7b9f1d0d3a-s1"


class Application(_Named, CloudFormationModel):
    """An EMR Serverless application, by an id of the form that EMR gives."""

    TYPE, NAME, IDENTITY = "AWS::EMRServerless::Application", "Name", "00f1r2abcdefgh09"


class Secret(_Named, CloudFormationModel):
    """A secret, by an ARN of the form that Secrets Manager gives."""

    TYPE, NAME = "AWS::SecretsManager::Secret", "Name"
    IDENTITY = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{{name}}-AbCdEf"


class DiscoveredService(_Named, CloudFormationModel):
    """A name of Cloud Map, by an ARN of the form that it gives."""

    TYPE, NAME, IDENTITY = "AWS::ServiceDiscovery::Service", "Name", "srv-{name}"

    @classmethod
    def has_cfn_attr(cls, attr):
        return attr == "Arn"

    def get_cfn_attribute(self, _):
        return f"arn:aws:servicediscovery:{REGION}:{ACCOUNT}:service/{self.physical_resource_id}"


_apply = ChangeSet.apply


def _as_text(value):
    return ",".join(value) if isinstance(value, list) else str(value)


def _apply_with_outputs(self):
    _apply(self)
    self.stack.template_dict = self.template_dict
    # As CloudFormation compares them: with defaults, and all of them as text.
    resolved = self.stack.resource_map.resolved_parameters
    self.stack.parameters = {name: _as_text(resolved[name]) for name in self.template_dict.get("Parameters", {})}
    self.stack.output_map = self.stack._create_output_map()


@contextmanager
def running() -> Iterator[str]:
    """Run the server; its address is given."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with patch.object(ChangeSet, "apply", _apply_with_outputs):
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


def reset(address: str) -> None:
    """Empty the account; what is in it belongs to this process and not to a server."""
    urlopen(Request(f"{address}/moto-api/reset", method="POST")).close()  # noqa: S310 - the server of this process


def stack(name: str):
    """The stack itself, inside the server."""
    stacks = get_backend("cloudformation")[ACCOUNT][REGION].stacks.values()
    return next(found for found in stacks if found.name == name)


@contextmanager
def failing(resource: str, kind: str, reason: str) -> Iterator[None]:
    """Let every execution of a change set fail with one resource and be rolled back, in CloudFormation's words."""

    def execute(self, change_set_name, stack_name=None):
        change_set = self.change_sets[change_set_name]
        stack, verb = change_set.stack, change_set.change_set_type
        stack._add_stack_event(f"{verb}_IN_PROGRESS", resource_status_reason="User Initiated")
        for name, type_, why in (
            (resource, kind, reason),
            ("Another", "AWS::SNS::Topic", "Resource creation cancelled"),
        ):
            stack._add_stack_event(f"{verb}_FAILED", resource_status_reason=why)
            stack.events[-1].logical_resource_id, stack.events[-1].resource_type = name, type_
        stack.status = "ROLLBACK_COMPLETE" if verb == "CREATE" else "UPDATE_ROLLBACK_COMPLETE"
        stack._add_stack_event(stack.status)

    with patch.object(CloudFormationBackend, "execute_change_set", execute):
        yield
