"""What tests of deployments share."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from pvfault_deploy.deploy import Deployment
from pvfault_deploy.release import pack
from pvfault_deploy.stacks import Template, read_templates


@dataclass
class Recorder:
    """An operator who writes down what is shown, and agrees or not; something may happen while they think."""

    refuses: str = ""
    meanwhile: dict[str, Callable] = field(default_factory=dict)
    lines: list = field(default_factory=list)

    def show(self, stack, changes):
        self.lines.append((stack, "changes", [change.resource for change in changes.changes]))

    def show_new(self, stack, template):
        self.lines.append((stack, "new", list(template.resources)))

    def unchanged(self, stack):
        self.lines.append((stack, "unchanged", []))

    def agrees(self, stack):
        self.meanwhile.get(stack, lambda: None)()
        return stack != self.refuses

    def begin(self, step):
        pass

    def tell(self, progress):
        pass

    def end(self, came_of_it):
        pass

    def recorded(self, kind):
        return [stack for stack, what, _ in self.lines if what == kind]


def pack_checkout(checkout):
    return pack(checkout, "0.1.0", checkout / "build" / "jars", checkout / "models" / "lenet5.h5")


def deployment_for(checkout, **given):
    values = {"BucketPrefix": "acme-pv", "FirstDate": "2026-11-01", **given}
    return Deployment("prod", pack_checkout(checkout), read_templates(checkout), values)


def change_template(deployment, concern, pattern, text):
    """The deployment with another template of a concern."""
    changed = tuple(
        Template(concern, _replace_once(pattern, text, template.text)) if template.concern == concern else template
        for template in deployment.templates
    )
    return replace(deployment, templates=changed)


def _replace_once(pattern, text, whole):
    replaced = whole.replace(pattern, text) if pattern in whole else re.sub(pattern, text, whole)
    assert replaced != whole, f"there is no {pattern}"
    return replaced


def change_sets(account, stack):
    found = account.client("cloudformation").list_change_sets(StackName=stack)["Summaries"]
    return [entry for entry in found if entry["StackName"] == stack]


def push_images(account, release):
    """Put images of a release into the repositories, as far as a repository looks at them."""
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    for name in ("emr", "dagster", "answers"):
        manifest = {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {"mediaType": kind, "size": 1, "digest": f"{name} {release}"},
            "layers": [],
        }
        account.client("ecr").put_image(
            repositoryName=f"pvfault-prod/{name}", imageManifest=json.dumps(manifest), imageTag=release
        )
