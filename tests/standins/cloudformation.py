"""AWS for `pvfault deploy`: moto's server in this process, with what its CloudFormation lacks.

Here: outputs of stacks that change sets make, which moto leaves empty, the identities of resources that other stacks
refer to and moto does not make, which resource a change is of and whether it takes its place, change sets of others
that become void, and stacks that fail, which moto has none of. Not here: whether a resource's properties are right:
moto takes any, and cfn-lint is what looks at them (tests/infra).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch
from urllib.request import Request, urlopen

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
from moto.backends import get_backend
from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.cloudformation.models import Change, ChangeSet, CloudFormationBackend
from moto.cloudformation.parsing import get_references_from_template
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


class Function(_Named, CloudFormationModel):
    """A Lambda function, which is no more here than its name: moto's own would fetch its image."""

    TYPE, NAME, IDENTITY = "AWS::Lambda::Function", "FunctionName", "{name}"

    @classmethod
    def has_cfn_attr(cls, attr):
        return attr == "Arn"

    def get_cfn_attribute(self, _):
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.physical_resource_id}"


class Permission(_Named, CloudFormationModel):
    """Who may call a function: of moto's own it would have to know the function."""

    TYPE, NAME, IDENTITY = "AWS::Lambda::Permission", "Id", "{name}"


class HttpApi(_Named, CloudFormationModel):
    """An HTTP API, by an id and with an address of the form that API Gateway gives."""

    TYPE, NAME, IDENTITY = "AWS::ApiGatewayV2::Api", "Name", "a1b2c3d4e5"

    @classmethod
    def has_cfn_attr(cls, attr):
        return attr == "ApiEndpoint"

    def get_cfn_attribute(self, _):
        return f"https://{self.physical_resource_id}.execute-api.{REGION}.amazonaws.com"


class DiscoveredService(_Named, CloudFormationModel):
    """A name of Cloud Map, by an ARN of the form that it gives."""

    TYPE, NAME, IDENTITY = "AWS::ServiceDiscovery::Service", "Name", "srv-{name}"

    @classmethod
    def has_cfn_attr(cls, attr):
        return attr == "Arn"

    def get_cfn_attribute(self, _):
        return f"arn:aws:servicediscovery:{REGION}:{ACCOUNT}:service/{self.physical_resource_id}"


class ChangeSetNotFoundError(CloudFormationError):
    """What CloudFormation says of a change set that is void, because another one was executed."""

    code = "ChangeSetNotFound"


_apply = ChangeSet.apply
_create_change_set = CloudFormationBackend.create_change_set
_execute_change_set = CloudFormationBackend.execute_change_set


def _as_text(value):
    return ",".join(value) if isinstance(value, list) else str(value)


def _apply_with_outputs(self):
    _apply(self)
    self.stack.template_dict = self.template_dict
    # As CloudFormation compares them: with defaults, and all of them as text.
    resolved = self.stack.resource_map.resolved_parameters
    self.stack.parameters = {name: _as_text(resolved[name]) for name in self.template_dict.get("Parameters", {})}
    self.stack.output_map = self.stack._create_output_map()


def _diff(self):
    """As CloudFormation tells changes: parameters too, which resource it is, and whether another takes its place."""
    resources = self.stack.resource_map
    before, after = resources._resource_json_map, self.template_dict["Resources"]
    changed = {name for name, value in self.parameters.items() if resources.input_parameters.get(name) != value}
    changes = []
    for action, names in resources.build_resource_diff(self.template_dict, self.parameters).items():
        for name in names:
            change = Change(action, name, (before if action == "Remove" else after)[name]["Type"])
            if action != "Add":
                change.physical_resource_id = resources[name].physical_resource_id if resources[name] else None
            if action == "Modify":
                change.replacement = _replacement(before[name], after[name], changed)
            changes.append(change)
    return changes


def _replacement(before, after, changed_parameters):
    """What the schema of a kind, as CloudFormation publishes it, says of a change of its properties."""
    old, new = before.get("Properties", {}), after.get("Properties", {})
    changed = {
        name
        for name in old.keys() | new.keys()
        if old.get(name) != new.get(name) or changed_parameters & set(get_references_from_template(new.get(name)))
    }
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, after["Type"]).schema
    for key, answer in (("createOnlyProperties", "True"), ("conditionalCreateOnlyProperties", "Conditional")):
        if changed & {pointer.split("/")[2] for pointer in schema.get(key, [])}:
            return answer
    return "False"


def _create_for_what_is_there(self, stack_name, change_set_name, change_set_type, **rest):
    """Refuse to make a stack that is there, in CloudFormation's words; find it by its id, too."""
    there = next((stack for stack in self.stacks.values() if stack_name in (stack.name, stack.stack_id)), None)
    if change_set_type == "CREATE" and there and there.status != "REVIEW_IN_PROGRESS":
        raise ValidationError(
            message=f"Stack [{stack_name}] already exists and cannot be created again with the changeSet "
            f"[{change_set_name}]."
        )
    arn, stack_id = _create_change_set(
        self,
        stack_name=there.name if there else stack_name,
        change_set_name=change_set_name,
        change_set_type=change_set_type,
        **rest,
    )
    if there and stack_id != there.stack_id:  # all change sets that would make a stack are of one
        del self.stacks[stack_id]
        self.change_sets[arn].stack, self.change_sets[arn].stack_id = there, there.stack_id
    return arn, self.change_sets[arn].stack_id


def _delete_if_there(self, change_set_name):
    """CloudFormation knows no error for a change set that is not there any more."""
    self.change_sets.pop(change_set_name, None)


def _execute_and_forget_others(self, change_set_name, stack_name=None):
    """With a change set that is executed, all others of its stack become void."""
    if change_set_name not in self.change_sets:
        raise ChangeSetNotFoundError(f"ChangeSet [{change_set_name}] does not exist")
    _execute_change_set(self, change_set_name, stack_name)
    stack = self.change_sets[change_set_name].stack
    for arn, other in list(self.change_sets.items()):
        if other.stack is stack and arn != change_set_name:
            del self.change_sets[arn]


@contextmanager
def running() -> Iterator[str]:
    """Run the server; its address is given."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with (
        patch.object(ChangeSet, "apply", _apply_with_outputs),
        patch.object(ChangeSet, "diff", _diff),
        patch.object(CloudFormationBackend, "create_change_set", _create_for_what_is_there),
        patch.object(CloudFormationBackend, "delete_change_set", _delete_if_there),
        patch.object(CloudFormationBackend, "execute_change_set", _execute_and_forget_others),
    ):
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
def failing(resource: str, kind: str, reason: str, *, cleared_away: bool = False) -> Iterator[None]:
    """Let every execution of a change set fail with one resource and be rolled back, in CloudFormation's words.

    If it is cleared away, somebody deletes the stack at once.
    """

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
        if cleared_away:
            stack.status = "DELETE_COMPLETE"
            self.deleted_stacks[stack.stack_id] = self.stacks.pop(stack.stack_id)

    with patch.object(CloudFormationBackend, "execute_change_set", execute):
        yield
