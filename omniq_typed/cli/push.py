"""`omniq-typed schema push`: types of the code, or of the folder, registered in Redis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from omniq_typed.cli.apps import App, load, types_of
from omniq_typed.cli.check import report_of
from omniq_typed.cli.reports import Format, Outcome, written
from omniq_typed.cli.sources import dir_option, opened, read_folder, url_option
from omniq_typed.errors import IncompatibleSchema
from omniq_typed.schema.check import Report
from omniq_typed.schema.history import with_index_of
from omniq_typed.schema.versions import DEFAULT_COMPATIBILITY, TypeHistory, declared_mode, version_of
from omniq_typed.schema_registry import Pushed, SchemaStore
