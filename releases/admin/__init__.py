"""The admin's pages of releases, and of what differs between two of them."""

from __future__ import annotations

from releases.admin.releases import register

__all__ = ["register"]
