"""What a developer gets from a running gateway: the document, the page, the catalogue, and answers as published."""

import hashlib
import re
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from adapters import DATABASES
from routes.openapi import document
from sandbox.run import REGISTRIES
from tests.test_openapi.deployment import PUBLIC, Answer, Deployment

NAMES = [f"{database.name}/{operation.name}" for database in DATABASES for operation in database.operations]
CASES = [(registry.name, case) for registry in REGISTRIES for case in registry.cases.__self__.cases]
