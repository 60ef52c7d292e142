"""How the result of a statement reaches its client: in the answer, or by presigned links to chunks.

Source: the Statement Execution API's page "Execute a SQL statement" (dispositions, formats, the limit of INLINE).
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from workspace.files.presigned import UrlSigner
from workspace.http import Json
from workspace.sql import results
from workspace.sql.engine import Result
from workspace.sql.requests import ARROW_STREAM, CSV, EXTERNAL_LINKS, INLINE, Request

INLINE_BYTES = 26_214_400
LINK_SECONDS = 15 * 60
BLOBS = "/sql-results"
MEDIA_TYPES = {
    ARROW_STREAM: "application/vnd.apache.arrow.stream",
    CSV: "text/csv; charset=utf-8",
}


@dataclass(frozen=True)
class Delivered:
    """A result as its client gets it: cut to the limits of the request."""

    result: Result
    truncated: bool
    disposition: str
    form: str

    @classmethod
    def of(cls, result: Result, request: Request) -> Delivered:
        """Cut the rows to the request's limits."""
        rows = result.rows
        keep = rows.num_rows
        if request.row_limit is not None:
            keep = min(keep, request.row_limit)
        if request.byte_limit is not None:
            keep = _rows_within(rows.slice(0, keep), request.byte_limit)
        cut = keep < rows.num_rows
        return cls(
            Result(result.columns, rows.slice(0, keep)) if cut else result, cut, request.disposition, request.form
        )

    @property
    def too_long(self) -> bool:
        """Whether it has more bytes than an answer may hold."""
        return self.disposition == INLINE and int(self.result.rows.nbytes) > INLINE_BYTES

    @property
    def chunk_count(self) -> int:
        return results.chunk_count(self.result)

    def manifest(self) -> Json:
        manifest = results.manifest(self.result, truncated=self.truncated)
        manifest["format"] = self.form
        if self.disposition == EXTERNAL_LINKS:
            sizes = [len(self.encoded(index)) for index in range(self.chunk_count)]
            manifest["total_byte_count"] = sum(sizes)
            for part, size in zip(manifest["chunks"], sizes, strict=True):
                part["byte_count"] = size
        return manifest

    def chunk(self, index: int, statement_id: str, host: str, signer: UrlSigner) -> Json:
        """Rows, or a link to them that works without a token for some minutes."""
        data = results.chunk(self.result, index, statement_id)
        if self.disposition == INLINE or not data:
            return data
        del data["data_array"]
        expires = int(time.time()) + LINK_SECONDS
        link = {
            **data,
            "byte_count": len(self.encoded(index)),
            "external_link": signer.url(f"http://{host}", "GET", f"{BLOBS}/{statement_id}/{index}", expires=expires),
            "expiration": datetime.fromtimestamp(expires, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
        }
        return {"external_links": [link]}

    def encoded(self, index: int) -> bytes:
        """The bytes of a chunk in the format that was asked for."""
        if self.form == ARROW_STREAM:
            return _arrow(results.arrow_chunk(self.result, index))
        rows = results.chunk(self.result, index, "")["data_array"]
        if self.form == CSV:
            return _csv([column.name for column in self.result.columns] if index == 0 else None, rows)
        return json.dumps(rows, ensure_ascii=False).encode()

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES.get(self.form, "application/json")


def verified(signer: UrlSigner, statement_id: str, index: str, query: Mapping[str, str]) -> None:
    """ApiError 403 unless the link was made for this chunk and has not expired."""
    signer.verify("GET", f"{BLOBS}/{statement_id}/{index}", query)


def _rows_within(rows: pa.Table, limit: int) -> int:
    """How many of the first rows have at most so many bytes."""
    least, most = 0, rows.num_rows
    while least < most:
        middle = (least + most + 1) // 2
        if int(rows.slice(0, middle).nbytes) <= limit:
            least = middle
        else:
            most = middle - 1
    return least


def _arrow(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue().to_pybytes())


def _csv(names: list[str] | None, rows: list[list[str | None]]) -> bytes:
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    if names is not None:
        writer.writerow(names)
    writer.writerows([["null" if value is None else value for value in row] for row in rows])
    return target.getvalue().encode()
