"""SageMaker's operations on model package groups and model packages: the model registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from mlflow_smwatch.demo.clock import Clock
from mlflow_smwatch.demo.entities import (
    Entity,
    EntityKind,
    EntityStore,
    describe_members,
    search_record,
)
from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.listings import Changes, Listing, ListRules
from mlflow_smwatch.demo.validation import Answer, Parameters

GROUP = EntityKind(
    noun="ModelPackageGroup",
    word="model-package-group",
    key="ModelPackageGroupName",
    missing_code="ValidationException",
)
PACKAGE = EntityKind(
    noun="ModelPackage",
    word="model-package",
    key="ModelPackageName",
    missing_code="ValidationException",
)
GROUP_SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageGroupArn",
    "ModelPackageGroupDescription",
    "CreationTime",
    "ModelPackageGroupStatus",
)
PACKAGE_SUMMARY = (
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
)
NOT_KEPT = {"Tags", "ClientToken", "ValidationSpecification"}


class ModelPackages:
    """The registry of one account and Region.

    Parameters
    ----------
    arn_prefix
        Of all ARNs of the account's SageMaker in the Region, up to the resource.
    clock, faults
        The account's.
    changes
        Is told of each change.
    """

    def __init__(self, arn_prefix: str, clock: Clock, faults: Faults, changes: Changes) -> None:
        self.groups = EntityStore(GROUP, arn_prefix, clock, changes)
        self.packages = EntityStore(PACKAGE, arn_prefix, clock, changes)
        self._changes = changes
        self._group_list = _listing(GROUP, GROUP_SUMMARY, faults)
        self._package_list = _listing(PACKAGE, PACKAGE_SUMMARY, faults)
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            "CreateModelPackageGroup": self.create_group,
            "DescribeModelPackageGroup": lambda asked: self._group(asked).answer,
            "DeleteModelPackageGroup": self.delete_group,
            "ListModelPackageGroups": self.list_groups,
            "CreateModelPackage": self.create_package,
            "DescribeModelPackage": lambda asked: self._package(asked["ModelPackageName"]).answer,
            "UpdateModelPackage": self.update_package,
            "DeleteModelPackage": self.delete_package,
            "ListModelPackages": self.list_packages,
        }
        self.records: dict[str, Callable[[], Iterable[Answer]]] = {
            "ModelPackageGroup": lambda: [search_record(one, GROUP.noun) for one in self.groups],
            "ModelPackage": lambda: [search_record(one, PACKAGE.noun) for one in self.packages],
        }

    def put_group(self, name: str, fields: Answer, tags: Mapping[str, str]) -> Entity:
        """Store a group; one of the same name is replaced, its packages stay."""
        first = {"CreatedBy": {}, "ModelPackageGroupStatus": "Completed"}
        return self.groups.put({"ModelPackageGroupName": name, **first, **fields}, tags)

    def put_package(self, fields: Answer, tags: Mapping[str, str]) -> Entity:
        """Store a package: the next version of its group, or one with a name of its own."""
        first: Answer = {
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": []},
        }
        group = fields.get("ModelPackageGroupName")
        if group is not None:
            name = self.groups.existing(group).answer["ModelPackageGroupName"]
            version = 1 + max((_version(one) for one in self._versions(name)), default=0)
            first |= {
                "ModelPackageName": name,
                "ModelPackageVersion": version,
                "ModelPackageArn": f"{self.packages.prefix}{name}/{version}",
                "ModelApprovalStatus": "PendingManualApproval",
            }
            fields = {**fields, "ModelPackageGroupName": name}
        return self.packages.put({**first, **fields}, tags)

    def create_group(self, parameters: Parameters) -> Answer:
        """Answer ``CreateModelPackageGroup``."""
        name = parameters["ModelPackageGroupName"]
        if self.groups.get(name) is not None:
            refuse("ValidationException", f"Model Package Group already exists: {name}")
        group = self.put_group(name, _kept(parameters), _tags(parameters))
        return {"ModelPackageGroupArn": group.arn}

    def delete_group(self, parameters: Parameters) -> Answer:
        """Answer ``DeleteModelPackageGroup``: only an empty one can go."""
        group = self._group(parameters)
        name = group.answer["ModelPackageGroupName"]
        if self._versions(name):
            refuse("ConflictException", f"Model Package Group {name} has model packages.")
        self.groups.remove(group)
        return {}

    def create_package(self, parameters: Parameters) -> Answer:
        """Answer ``CreateModelPackage``: within a group, the next version."""
        name, group = (parameters.get(f"ModelPackage{word}Name") for word in ("", "Group"))
        if (name is None) == (group is None):
            message = "Exactly one of ModelPackageName and ModelPackageGroupName is needed."
            refuse("ValidationException", message)
        if name is not None and self.packages.get(name) is not None:
            refuse("ConflictException", f"Model Package already exists: {name}")
        package = self.put_package(_kept(parameters), _tags(parameters))
        return {"ModelPackageArn": package.arn}

    def update_package(self, parameters: Parameters) -> Answer:
        """Answer ``UpdateModelPackage``."""
        package = self._package(parameters["ModelPackageArn"])
        field = "CustomerMetadataProperties"
        merged = {**package.answer.get(field, {}), **parameters.get(field, {})}
        removed = parameters.get(f"{field}ToRemove", ())
        changes = {
            key: value
            for key, value in parameters.items()
            if key in describe_members(PACKAGE.noun) and key != "ModelPackageArn"
        }
        if merged:
            changes[field] = {key: value for key, value in merged.items() if key not in removed}
        self.packages.modify(package, **changes)
        return {"ModelPackageArn": package.arn}

    def delete_package(self, parameters: Parameters) -> Answer:
        """Answer ``DeleteModelPackage``."""
        self.packages.remove(self._package(parameters["ModelPackageName"]))
        return {}

    def list_groups(self, parameters: Parameters) -> Answer:
        """Answer ``ListModelPackageGroups``."""
        part = parameters.get("NameContains", "")
        return self._group_list.page(
            parameters,
            version=self._changes.marker,
            items=lambda: (
                one.answer for one in self.groups if part in one.answer["ModelPackageGroupName"]
            ),
        )

    def list_packages(self, parameters: Parameters) -> Answer:
        """Answer ``ListModelPackages``: those without versions, unless others are asked for."""
        if group := parameters.get("ModelPackageGroupName"):
            group = self.groups.existing(group).answer["ModelPackageGroupName"]
        return self._package_list.page(
            parameters,
            version=self._changes.marker,
            items=lambda: self._chosen(group, parameters),
        )

    def _chosen(self, group: str | None, parameters: Parameters) -> Iterable[Answer]:
        default = "UNVERSIONED" if group is None else "VERSIONED"
        kind = parameters.get("ModelPackageType", default).upper()
        approval = parameters.get("ModelApprovalStatus")
        for package in self.packages:
            answer = package.answer
            own = "VERSIONED" if "ModelPackageVersion" in answer else "UNVERSIONED"
            if (
                kind in {"BOTH", own}
                and group in {None, answer.get("ModelPackageGroupName")}
                and approval in {None, answer.get("ModelApprovalStatus")}
                and parameters.get("NameContains", "") in answer["ModelPackageName"]
            ):
                yield answer

    def _versions(self, group: str) -> list[Entity]:
        return [one for one in self.packages if one.answer.get("ModelPackageGroupName") == group]

    def _group(self, parameters: Parameters) -> Entity:
        return self.groups.existing(parameters["ModelPackageGroupName"])

    def _package(self, name_or_arn: str) -> Entity:
        return self.packages.existing(name_or_arn)


def _version(package: Entity) -> int:
    version: int = package.answer["ModelPackageVersion"]
    return version


def _kept(parameters: Parameters) -> Answer:
    return {key: value for key, value in parameters.items() if key not in NOT_KEPT}


def _tags(parameters: Parameters) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in parameters.get("Tags", ())}


def _listing(kind: EntityKind, fields: tuple[str, ...], faults: Faults) -> Listing:
    rules = ListRules(
        operation=f"List{kind.noun}s",
        results=f"{kind.noun}SummaryList",
        sort_fields={"Name": kind.name_field, "CreationTime": "CreationTime"},
        order="Ascending",
        times="CreationTime",
    )
    return Listing(
        rules, lambda answer: {field: answer[field] for field in fields if field in answer}, faults
    )
