//! OIDs that PostgreSQL fixes for the catalogs themselves and for what every database starts with. Type OIDs are in
//! [`crate::types::oid`].

use crate::types::oid::Oid;

// Catalogs: the class of an object in pg_depend and pg_description is the catalog that holds it.
pub const PG_DEFAULT_ACL: Oid = 826;
pub const PG_TYPE: Oid = 1247;
pub const PG_PROC: Oid = 1255;
pub const PG_CLASS: Oid = 1259;
pub const PG_AUTHID: Oid = 1260;
pub const PG_DATABASE: Oid = 1262;
pub const PG_AM: Oid = 2601;
pub const PG_ATTRDEF: Oid = 2604;
pub const PG_CAST: Oid = 2605;
pub const PG_CONSTRAINT: Oid = 2606;
pub const PG_LANGUAGE: Oid = 2612;
pub const PG_LARGEOBJECT: Oid = 2613;
pub const PG_LARGEOBJECT_METADATA: Oid = 2995;
pub const PG_EXTENSION: Oid = 3079;
pub const PG_STATISTIC_EXT: Oid = 3381;
pub const PG_COLLATION: Oid = 3456;
pub const PG_TS_DICT: Oid = 3600;
pub const PG_TS_PARSER: Oid = 3601;
pub const PG_TS_CONFIG: Oid = 3602;
pub const PG_TS_TEMPLATE: Oid = 3764;
pub const PG_NAMESPACE: Oid = 2615;
pub const PG_OPCLASS: Oid = 2616;
pub const PG_OPERATOR: Oid = 2617;
pub const PG_REWRITE: Oid = 2618;
pub const PG_TRIGGER: Oid = 2620;
/// The view.
pub const PG_SECLABELS: Oid = 12099;
pub const PG_TABLESPACE: Oid = 1213;

// Schemas.
pub const PG_CATALOG_SCHEMA: Oid = 11;
pub const PG_TOAST_SCHEMA: Oid = 99;
pub const PUBLIC_SCHEMA: Oid = 2200;
pub const INFORMATION_SCHEMA: Oid = 13207;

// Databases of a new data directory.
pub const TEMPLATE1_DATABASE: Oid = 1;
pub const TEMPLATE0_DATABASE: Oid = 4;
pub const POSTGRES_DATABASE: Oid = 5;

// Roles.
pub const BOOTSTRAP_SUPERUSER: Oid = 10;
pub const PG_DATABASE_OWNER: Oid = 6171;

// Others.
pub const INTERNAL_LANGUAGE: Oid = 12;
pub const C_LANGUAGE: Oid = 13;
pub const SQL_LANGUAGE: Oid = 14;
pub const DEFAULT_TABLESPACE: Oid = 1663;
pub const GLOBAL_TABLESPACE: Oid = 1664;
pub const HEAP_ACCESS_METHOD: Oid = 2;
pub const BTREE_ACCESS_METHOD: Oid = 403;
pub const DEFAULT_COLLATION: Oid = 100;
pub const C_COLLATION: Oid = 950;
pub const POSIX_COLLATION: Oid = 951;

/// OIDs from here on are handed out to what users create.
pub const FIRST_NORMAL: Oid = 16_384;
