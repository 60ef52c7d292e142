"""Unity Catalog: catalogs, schemas, tables and grants."""

from workspace.unity_catalog.service import UnityCatalog
from workspace.unity_catalog.tables import Column, Table, Tables

__all__ = ["Column", "Table", "Tables", "UnityCatalog"]
