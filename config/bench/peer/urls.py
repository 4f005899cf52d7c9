"""The product's addresses, and /bare/<sample>: the least that a view of Django REST framework does.

It looks up who calls by their key in one query, loads one row through the ORM, and returns it as JSON.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import path
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.urls import urlpatterns as product
from labeling.commands.people import hash_of
from labeling.models import ApiKey, Person, Sample


class BareKey(BaseAuthentication):
    """The key in the Authorization header, with its person."""

    def authenticate(self, request: Request) -> tuple[Person, ApiKey]:
        secret = request.headers.get("Authorization", "").partition(" ")[2]
        try:
            key = ApiKey.objects.select_related("person").get(hash=hash_of(secret), revoked_at=None)
        except ApiKey.DoesNotExist as error:
            raise AuthenticationFailed from error
        return key.person, key


class BareView(APIView):
    """One sample, for everybody who has a key."""

    authentication_classes = [BareKey]

    def get(self, request: Request, sample: uuid.UUID) -> Response:
        row: Any = Sample.objects.get(id=sample)
        names = ("id", "name", "attributes", "metadata", "priority", "readme", "created_by", "created_at")
        return Response({name: getattr(row, name) for name in names})


urlpatterns = [*product, path("bare/<uuid:sample>/", BareView.as_view())]
