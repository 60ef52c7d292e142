"""Files of volumes as rows: `read_files(...)` and the source of COPY INTO. CSV, JSON and Parquet.

Sources: https://docs.databricks.com/sql/language-manual/functions/read_files.html and
https://docs.databricks.com/sql/language-manual/delta-copy-into.html
"""

from __future__ import annotations

import fnmatch
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from workspace.identity.caller import current_caller
from workspace.sql.datatypes import arrow_type
from workspace.sql.errors import SqlError, unsupported
from workspace.sql.functions import json_schema
from workspace.sql.storing import decimals
from workspace.unity_catalog import types
from workspace.unity_catalog.securables import VOLUME
from workspace.unity_catalog.service import UnityCatalog

PathOf = Callable[[str], Path]

_RESCUED = "_rescued_data"
_COMMON = frozenset({"format", "schema", "rescueddatacolumn", "pathglobfilter", "filenamepattern", "schemahints"})
_OPTIONS: dict[str, frozenset[str]] = {
    "csv": frozenset({"header", "sep", "delimiter", "quote", "escape", "nullvalue", "inferschema", "encoding"}),
    "json": frozenset({"multiline", "inferschema"}),
    "parquet": frozenset({"mergeschema"}),
}


class ExternalFiles:
    """Reads files by their API path (`/Volumes/catalog/schema/volume/...`)."""

    def __init__(self, catalog: UnityCatalog, path_of: PathOf) -> None:
        self._catalog = catalog
        self._path_of = path_of

    def files(self, api_path: str, pattern: str | None = None) -> list[tuple[str, Path]]:
        """The files at a path, of a directory, or that a pattern in the path names: API path and place on disk.

        Raises SqlError where there is none; PrivilegeError without READ VOLUME.
        """
        plain = api_path.removeprefix("dbfs:").rstrip("/")
        parts = plain.split("/")
        if len(parts) < 5 or parts[:2] != ["", "Volumes"]:
            raise unsupported(f"reading {api_path!r}", "give a path below /Volumes/<catalog>/<schema>/<volume>")
        self._catalog.privileges.require(current_caller(), "READ_VOLUME", VOLUME, ".".join(parts[2:5]).lower())
        fixed = [part for part in parts if not _is_pattern(part)]
        fixed = parts[: next((index for index, part in enumerate(parts) if _is_pattern(part)), len(parts))] or fixed
        root, api_root = self._path_of("/".join(fixed)), "/".join(fixed)
        if root.is_file():
            found = [(api_root, root)]
        else:
            found = [
                (f"{api_root}/{place.relative_to(root)}", place) for place in sorted(root.rglob("*")) if place.is_file()
            ]
        if len(fixed) < len(parts):
            found = [
                one for one in found if fnmatch.fnmatchcase(one[0], plain) or fnmatch.fnmatchcase(one[0], plain + "/*")
            ]
        hidden = [one for one in found if not one[1].name.startswith(("_", "."))]
        kept = [one for one in hidden if pattern is None or fnmatch.fnmatchcase(one[1].name, pattern)]
        if not kept:
            raise SqlError("PATH_NOT_FOUND", f"Path does not exist: {api_path}.", sql_state="42K03")
        return kept

    def read(self, files: Sequence[tuple[str, Path]], options: Mapping[str, str], *, rescued: bool) -> pa.Table:
        """All rows of the files. `rescued`: with column `_rescued_data`, where no schema is given."""
        form = options.get("format", "").lower() or files[0][1].suffix.removeprefix(".").lower()
        if form not in _OPTIONS:
            raise unsupported(f"files of format {form or 'without an extension'!r}", "csv, json and parquet are there")
        unknown = sorted(set(options) - _COMMON - _OPTIONS[form])
        if unknown:
            raise unsupported(f"the option(s) {', '.join(unknown)} of {form} files")
        schema = options.get("schema")
        readers: dict[str, Callable[[Path, Mapping[str, str]], pa.Table]] = {
            "csv": _read_csv,
            "json": _read_json,
            "parquet": _read_parquet,
        }
        try:
            tables = [readers[form](path, options) for _, path in files]
            rows = pa.concat_tables(tables, promote_options="permissive")
        except (pa.ArrowException, ValueError, UnicodeError) as error:
            raise SqlError("FAILED_READ_FILE.NO_HINT", f"Error while reading file {files[0][0]}: {error}") from error
        rows = _plain(rows)
        if schema is not None:
            return _in_schema(rows, schema, files[0][0])
        if rescued:
            return rows.append_column(_RESCUED, pa.nulls(rows.num_rows, pa.string()))
        return rows


def _is_pattern(part: str) -> bool:
    return any(mark in part for mark in "*?[")


def _true(options: Mapping[str, str], name: str, default: str) -> bool:
    value = options.get(name, default).lower()
    if value not in ("true", "false"):
        raise SqlError("CF_INCORRECT_OPTION", f"option {name} must be true or false, received '{value}'")
    return value == "true"


def _read_csv(path: Path, options: Mapping[str, str]) -> pa.Table:
    separator = options.get("sep") or options.get("delimiter") or ","
    quote = options.get("quote", '"')
    if len(separator) != 1 or len(quote) > 1:
        raise unsupported(f"a separator {separator!r} or quote {quote!r} of more than one character")
    if options.get("escape") not in (None, "\\", '"'):
        raise unsupported(f"the escape character {options['escape']!r}")
    header = _true(options, "header", "false")
    infer = _true(options, "inferschema", "true")
    escape = options.get("escape") == "\\"
    parse = pa_csv.ParseOptions(
        delimiter=separator, quote_char=quote or False, double_quote=not escape, escape_char="\\" if escape else False
    )
    names = _csv_names(path, parse, header=header)
    convert = pa_csv.ConvertOptions(
        null_values=["", options.get("nullvalue", "")],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        true_values=["true", "True", "TRUE"],
        false_values=["false", "False", "FALSE"],
        column_types=None if infer else dict.fromkeys(names, pa.string()),
    )
    read = pa_csv.ReadOptions(
        column_names=names, skip_rows=1 if header else 0, encoding=options.get("encoding", "utf8").lower()
    )
    return pa_csv.read_csv(path, read_options=read, parse_options=parse, convert_options=convert)


def _csv_names(path: Path, parse: pa_csv.ParseOptions, *, header: bool) -> list[str]:
    with path.open("rb") as handle:
        first = handle.readline()
    row = pa_csv.read_csv(
        io.BytesIO(first), read_options=pa_csv.ReadOptions(autogenerate_column_names=True), parse_options=parse
    )
    if header:
        return [str(row.column(index)[0].as_py()) for index in range(row.num_columns)]
    return [f"_c{index}" for index in range(row.num_columns)]


def _read_parquet(path: Path, _: Mapping[str, str]) -> pa.Table:
    return pq.read_table(path)


def _read_json(path: Path, options: Mapping[str, str]) -> pa.Table:
    if not _true(options, "multiline", "false"):
        return pa_json.read_json(path)
    found = json.loads(path.read_text())
    return pa.Table.from_pylist(found if isinstance(found, list) else [found])


def _plain(rows: pa.Table) -> pa.Table:
    """Types that Delta tables have: moments in microseconds with a zone, no dictionaries."""
    for index, field in enumerate(rows.schema):
        kind = field.type
        if pa.types.is_timestamp(kind):
            rows = rows.set_column(index, field.name, rows.column(index).cast(pa.timestamp("us", "UTC"), safe=False))
        elif pa.types.is_null(kind):
            rows = rows.set_column(index, field.name, rows.column(index).cast(pa.string()))
        elif pa.types.is_dictionary(kind):
            rows = rows.set_column(index, field.name, rows.column(index).cast(kind.value_type))
    return rows


def _in_schema(rows: pa.Table, schema: str, name: str) -> pa.Table:
    """The columns that a schema declares, by name or, where the files have no names, by place; missing ones NULL."""
    declared = json_schema(schema)
    if not isinstance(declared, dict) or declared["type"] != "struct":
        raise SqlError("INVALID_SCHEMA.NON_STRUCT_TYPE", f"schema {schema!r} has no fields", sql_state="42K07")
    by_place = all(column == f"_c{index}" for index, column in enumerate(rows.column_names))
    arrays = []
    for index, field in enumerate(declared["fields"]):
        wanted = arrow_type(types.text_of(field["type"]))
        place = index if by_place else rows.schema.get_field_index(field["name"])
        if not 0 <= place < rows.num_columns:
            arrays.append(pa.chunked_array([pa.nulls(rows.num_rows, wanted)]))
            continue
        try:
            values = rows.column(place)
            whole = pa.types.is_integer(values.type) and pa.types.is_decimal(wanted)
            arrays.append(decimals(values, wanted) if whole else values.cast(wanted, safe=True))
        except pa.ArrowException as error:
            raise SqlError(
                "FAILED_READ_FILE.NO_HINT",
                f"column `{field['name']}` of {name} is no {types.text_of(field['type'])}: {error}",
            ) from error
    return pa.Table.from_arrays(arrays, names=[field["name"] for field in declared["fields"]])
