"""The part of the test workspace that understands the few SQL statements a table is made and changed with."""

import re
from dataclasses import dataclass, field

NAME = r"`(\w+)`\.`(\w+)`\.`(\w+)`"


@dataclass
class TableStore:
    """Tables by full name, as the catalog API shows them."""

    tables: dict[str, dict[str, object]] = field(default_factory=dict)
    made: int = 0

    def get(self, name: str) -> dict[str, object]:
        from tests.toolchain.provider.fake_state import missing

        if name not in self.tables:
            raise missing(name)
        return self.tables[name]

    def run(self, statement: str) -> dict[str, object]:
        """Carries out one statement; one it does not understand ends FAILED."""
        done: dict[str, object] = {"statement_id": "s", "status": {"state": "SUCCEEDED"}}
        created = re.match(rf"CREATE OR REPLACE TABLE {NAME} \((.*?)\)\n(.*);", statement, re.S)
        if created:
            self._create(*created.groups())
            return done
        target = re.search(NAME, statement)
        name = ".".join(target.groups()) if target else ""
        if name not in self.tables:
            return {"status": {"state": "FAILED", "error": {"message": f"TABLE_OR_VIEW_NOT_FOUND {name}: {statement}"}}}
        table = self.tables[name]
        if statement.startswith("DROP TABLE"):
            del self.tables[name]
        elif comment := re.fullmatch(rf"COMMENT ON TABLE {NAME} IS '(.*)'", statement):
            table["comment"] = comment.group(4)
        elif "SET TBLPROPERTIES" in statement:
            table["properties"] = {**_dict(table["properties"]), **dict(re.findall(r"'([^']+)'='([^']*)'", statement))}
        elif added := re.search(r"ADD COLUMN `(\w+)` (\w+) (?:AFTER|FIRST)", statement):
            columns = table["columns"]
            assert isinstance(columns, list)
            columns.append({"name": added.group(1), "type_text": added.group(2), "nullable": True})
        else:
            return {"status": {"state": "FAILED", "error": {"message": f"not understood: {statement}"}}}
        return done

    def _create(self, catalog: str, schema: str, name: str, columns: str, rest: str) -> None:
        parsed = [
            {"name": column, "type_text": kind, "nullable": not required, **({"comment": comment} if comment else {})}
            for column, kind, required, comment in re.findall(
                r"`(\w+)` (\w+)( NOT NULL)?(?: COMMENT '([^']*)')?", columns
            )
        ]
        comment = re.search(r"COMMENT '([^']*)'", rest)
        self.made += 1
        self.tables[f"{catalog}.{schema}.{name}"] = {
            "catalog_name": catalog,
            "schema_name": schema,
            "name": name,
            "table_type": "MANAGED",
            "data_source_format": "DELTA",
            "columns": parsed,
            "comment": comment.group(1) if comment else "",
            "owner": "me@example.com",
            "properties": {**dict(re.findall(r"'([^']+)'='([^']*)'", rest)), "delta.lastCommitTimestamp": "1"},
            "storage_location": f"s3://example-bucket/tables/{name}",
            "table_id": f"tableId-{self.made}",
        }


def _dict(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, dict) else {}
