"""What Unity Catalog knows of one table."""

from __future__ import annotations

from dataclasses import dataclass, field

CHANGE_DATA_FEED = "delta.enableChangeDataFeed"
MANAGED = "MANAGED"
FOREIGN = "FOREIGN"
VIEW = "VIEW"


@dataclass(frozen=True)
class Column:
    """A column as declared."""

    name: str
    type_text: str
    """Databricks SQL type, lower case, without spaces: `bigint`, `decimal(10,2)`, `array<string>`."""
    nullable: bool = True
    comment: str | None = None


@dataclass(frozen=True)
class ForeignKey:
    """A reference to the primary key of another table."""

    name: str
    columns: list[str]
    parent_table: str
    """Full name."""
    parent_columns: list[str]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table at one moment; ask `Tables` again to see what changed since."""

    catalog_name: str
    schema_name: str
    name: str
    table_id: str
    """UUID; another one for a table made anew under the same name."""
    table_type: str
    """MANAGED (Delta), FOREIGN (registered here, stored elsewhere) or VIEW."""
    columns: list[Column]
    primary_key: list[str] = field(default_factory=list)
    """Columns of the primary key, the timeseries column among them; empty where there is none."""
    primary_key_name: str | None = None
    timeseries: str | None = None
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    partitions: list[str] = field(default_factory=list)
    """Columns that its files are kept apart by."""
    comment: str | None = None
    owner: str
    created_by: str = ""
    created_at: int
    """Milliseconds since the epoch, as all times of Unity Catalog."""
    updated_at: int
    storage_location: str | None = None
    view_definition: str | None = None

    @property
    def full_name(self) -> str:
        return f"{self.catalog_name}.{self.schema_name}.{self.name}"

    @property
    def change_data_feed(self) -> bool:
        return self.properties.get(CHANGE_DATA_FEED, "false").lower() == "true"

    def column(self, name: str) -> Column | None:
        """The column of that name; names are not told apart by case."""
        return next((column for column in self.columns if column.name.lower() == name.lower()), None)
