"""Issues: what somebody said about a sample, where it points at, whether it is resolved, and what others answered."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer, no_content
from labeling.api.contract import Reply, documented
from labeling.api.labels import sample_id
from labeling.api.requests import at_of, body_of, caller, existing_page, intent_of, page_of, uuid_of
from labeling.api.schemas import issues as schemas
from labeling.api.schemas.forms import listed
from labeling.api.schemas.parameters import AT, DATASET_OFFSET, ETAG, PAGING
from labeling.api.views import Answer, View, asked_offset, offset_of
from labeling.commands import issues as commands
from labeling.errors import InvalidValue, NotFound
from labeling.queries import issues as queries
from labeling.queries import labels as label_queries
from labeling.queries.issues import IssueOnSample
from labeling.queries.samples import find_sample, sample_at
from labeling.rules import access
from labeling.texts import decrypt_all

JSON = dict[str, Any]


def rendered_issues(found: Sequence[IssueOnSample]) -> list[JSON]:
    """The protocol's Issues; texts decrypted and people named with one query each for all of them."""
    if not found:
        return []
    comments = [list(item.state.comments.values()) for item in found]
    names = label_queries.names_of(
        {person for item in found for person in (item.state.created_by, item.state.updated_by)}
        | {comment.created_by for each in comments for comment in each}
    )
    texts = iter(
        decrypt_all([item.state.text for item in found] + [comment.text for each in comments for comment in each])
    )
    descriptions = [next(texts) for _ in found]

    def name(person: uuid.UUID | None) -> str | None:
        return None if person is None else names.get(person, str(person))

    return [
        {
            "uuid": item.state.id,
            "description": description,
            "created_at": item.state.created_at,
            "updated_at": item.state.updated_at,
            "created_by": name(item.state.created_by),
            "updated_by": name(item.state.updated_by),
            "status": item.state.status,
            "comments": [
                {"created_at": comment.created_at, "created_by": name(comment.created_by), "text": next(texts)}
                for comment in each
            ],
            "anchor": item.state.anchor,
            "sample_uuid": item.state.sample,
            "sample_name": item.sample_name,
        }
        for item, each, description in zip(found, comments, descriptions, strict=True)
    ]


def with_issues(samples: list[JSON], found: Sequence[IssueOnSample]) -> list[JSON]:
    """Rendered samples, each given those issues that are its own, oldest first."""
    own: dict[str, list[JSON]] = {}
    for item in rendered_issues(found):
        own.setdefault(item["sample_uuid"], []).append(item)
    for sample in samples:
        sample["issues"] = own.get(str(sample["uuid"]), []) if own else []
    return samples


class DatasetIssuesView(View):
    """The issues of a dataset."""

    @documented("issues", "read", {200: Reply(listed(schemas.ISSUE), (DATASET_OFFSET,))}, parameters=(*PAGING, AT))
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """All issues, oldest first, now or (`at`) as they were."""
        found = self.dataset(owner, name)
        limit, skip = page_of(request) if "per_page" in request.query_params else (None, 0)
        past = self.past(found)
        if past is not None:
            items = queries.issues_at(found.id, past.offset)[skip : None if limit is None else skip + limit]
        else:
            items = queries.issues_in_dataset(found.id, limit=limit, skip=skip)
        headers = offset_of(found) if past is None else past.headers
        return answer(rendered_issues(existing_page(items, skip)), headers=headers)


class SampleIssuesView(View):
    """The issues of one sample."""

    writes = "label"

    @documented("sample_issues", "read", {200: Reply(listed(schemas.ISSUE), (DATASET_OFFSET,))}, parameters=(AT,))
    def get(self, request: Request, sample: str) -> Answer:
        """The sample's issues, oldest first, now or (`at`) as they were."""
        found = find_sample(sample_id(sample), person=self.person, deleted=at_of(request) is not None)
        access.require("read", role=found.role, public=found.public)
        offset = asked_offset(request, dataset=found.dataset, role=found.role, public=found.public, head=found.head)
        if offset is None:
            items = queries.issues_of_samples({found.sample.id: found.sample.name})
        elif sample_at(found.dataset, found.sample.id, offset).exists:
            items = queries.issues_at(found.dataset, offset, sample=found.sample.id)
        else:
            raise NotFound
        shown = found.head if offset is None else offset
        return answer(rendered_issues(items), headers={"Dataset-Offset": str(shown)})

    @documented(
        "issue_add",
        "issue",
        {201: Reply(schemas.ISSUE, (ETAG, DATASET_OFFSET))},
        body=schemas.NEW_ISSUE,
        appends=True,
    )
    def post(self, request: Request, sample: str) -> Answer:
        """Raise an issue: `description`, and where wanted `status` and `anchor`."""
        fields = commands.checked_issue(body_of(request))
        issue = commands.open_issue(intent=intent_of(request), sample=sample_id(sample), fields=fields)
        return _one(request, issue, status=201)


class SDKSampleIssuesView(SampleIssuesView):
    """The same, where the public SDK's `sample.get_issues()` looks for it."""

    http_method_names = ["get", "head", "options"]

    @documented(
        "sample_issues_for_sdk", "read", {200: Reply(listed(schemas.ISSUE), (DATASET_OFFSET,))}, parameters=(AT,)
    )
    def get(self, request: Request, sample: str) -> Answer:
        """The sample's issues, where the public SDK's `sample.get_issues()` looks for them."""
        return super().get(request, sample)


class IssueView(View):
    """One issue."""

    writes = "label"

    @documented("issue_read", "read", {200: Reply(schemas.ISSUE, (ETAG, DATASET_OFFSET))}, parameters=(AT,))
    def get(self, request: Request, issue: str) -> Answer:
        """Read an issue, now or (`at`) as it was."""
        if at_of(request) is None:
            return _one(request, issue_id(issue))
        found = queries.find_issue(issue_id(issue), person=self.person, deleted=True)
        offset = asked_offset(request, dataset=found.dataset, role=found.role, public=found.public, head=found.head)
        assert offset is not None
        was = queries.issue_at(found.dataset, issue_id(issue), offset)
        headers = {"ETag": f'"{was.state.version}"', "Dataset-Offset": str(offset)}
        return answer(rendered_issues([was])[0], headers=headers)

    @documented(
        "issue_change",
        "issue",
        {200: Reply(schemas.ISSUE, (ETAG, DATASET_OFFSET))},
        body=schemas.ISSUE_CHANGE,
        appends=True,
    )
    def patch(self, request: Request, issue: str) -> Answer:
        """Resolve it or open it again (every member); change its description or anchor (its author, or a manager)."""
        changes = commands.checked_issue(body_of(request), partial=True)
        commands.change_issue(intent=intent_of(request), issue=issue_id(issue), changes=changes)
        return _one(request, issue_id(issue))

    @documented("issue_delete", "moderate", {204: Reply()}, appends=True)
    def delete(self, request: Request, issue: str) -> Answer:
        """Delete an issue (its author, or a manager); what was said stays in the log."""
        commands.delete_issue(intent=intent_of(request), issue=issue_id(issue))
        return no_content()


class IssueCommentsView(View):
    """The answers to an issue."""

    writes = "label"

    @documented(
        "issue_comment",
        "issue",
        {201: Reply(schemas.ISSUE, (ETAG, DATASET_OFFSET))},
        body=schemas.NEW_COMMENT,
        appends=True,
    )
    def post(self, request: Request, issue: str) -> Answer:
        """Answer an issue with a `text`."""
        body = body_of(request)
        if "text" not in body:
            raise InvalidValue("text", "is required")
        text = commands.checked_text(body["text"], "text")
        commands.comment_on_issue(intent=intent_of(request), issue=issue_id(issue), text=text)
        return _one(request, issue_id(issue), status=201)


def _one(request: Request, issue: uuid.UUID, *, status: int = 200) -> Answer:
    found = queries.find_issue(issue, person=caller(request).id)
    access.require("read", role=found.role, public=found.public)
    whole = queries.issue_with_comments(issue, found.sample_name)
    headers = {"ETag": f'"{whole.state.version}"', "Dataset-Offset": str(found.head)}
    return answer(rendered_issues([whole])[0], status=status, headers=headers)


def issue_id(text: str) -> uuid.UUID:
    found = uuid_of(text)
    if found is None:
        raise NotFound
    return found
