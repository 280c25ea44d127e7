//! The visible list of PostgreSQL 15's built-in types, and the look-ups over it.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::oid::Oid;
use super::{Category, TypeInfo};

#[expect(clippy::too_many_arguments, reason = "one argument per column of the table below")]
const fn row(
    oid: Oid,
    name: &'static str,
    array: Oid,
    element: Oid,
    len: i16,
    kind: char,
    category: Category,
    preferred: bool,
    collation: Oid,
) -> TypeInfo {
    TypeInfo { oid, name, array, element, len, kind, category, preferred, collation }
}

/// The row of a built-in type.
pub fn type_info(oid: Oid) -> Option<&'static TypeInfo> {
    TYPES.binary_search_by_key(&oid, |info| info.oid).ok().map(|index| &TYPES[index])
}

/// A built-in type by its internal name (`pg_type.typname`): `int4`, `varchar`, `_text`.
pub fn type_by_name(name: &str) -> Option<&'static TypeInfo> {
    static NAMES: OnceLock<HashMap<&'static str, &'static TypeInfo>> = OnceLock::new();
    NAMES.get_or_init(|| TYPES.iter().map(|info| (info.name, info)).collect()).get(name).copied()
}

/// The array type over a built-in type, if it has one.
pub fn array_of(oid: Oid) -> Option<Oid> {
    type_info(oid).map(|info| info.array).filter(|&array| array != 0)
}

/// The element type of an array type, of `int2vector` and of `oidvector`. Fixed-length types that can be
/// subscripted (`name`, `point`) are not arrays.
pub fn element_of(oid: Oid) -> Option<Oid> {
    type_info(oid).filter(|info| info.element != 0 && info.len == -1).map(|info| info.element)
}

/// Whether values of this type are arrays (`int2vector` and `oidvector` included).
pub fn is_array(oid: Oid) -> bool {
    element_of(oid).is_some()
}

/// Every built-in type, ordered by OID: the columns of `pg_type` that [`TypeInfo`] names.
#[rustfmt::skip]
pub static TYPES: &[TypeInfo] = &[
    row(16, "bool", 1000, 0, 1, 'b', 'B', true, 0),
    row(17, "bytea", 1001, 0, -1, 'b', 'U', false, 0),
    row(18, "char", 1002, 0, 1, 'b', 'Z', false, 0),
    row(19, "name", 1003, 18, 64, 'b', 'S', false, 950),
    row(20, "int8", 1016, 0, 8, 'b', 'N', false, 0),
    row(21, "int2", 1005, 0, 2, 'b', 'N', false, 0),
    row(22, "int2vector", 1006, 21, -1, 'b', 'A', false, 0),
    row(23, "int4", 1007, 0, 4, 'b', 'N', false, 0),
    row(24, "regproc", 1008, 0, 4, 'b', 'N', false, 0),
    row(25, "text", 1009, 0, -1, 'b', 'S', true, 100),
    row(26, "oid", 1028, 0, 4, 'b', 'N', true, 0),
    row(27, "tid", 1010, 0, 6, 'b', 'U', false, 0),
    row(28, "xid", 1011, 0, 4, 'b', 'U', false, 0),
    row(29, "cid", 1012, 0, 4, 'b', 'U', false, 0),
    row(30, "oidvector", 1013, 26, -1, 'b', 'A', false, 0),
    row(32, "pg_ddl_command", 0, 0, 8, 'p', 'P', false, 0),
    row(71, "pg_type", 210, 0, -1, 'c', 'C', false, 0),
    row(75, "pg_attribute", 270, 0, -1, 'c', 'C', false, 0),
    row(81, "pg_proc", 272, 0, -1, 'c', 'C', false, 0),
    row(83, "pg_class", 273, 0, -1, 'c', 'C', false, 0),
    row(114, "json", 199, 0, -1, 'b', 'U', false, 0),
    row(142, "xml", 143, 0, -1, 'b', 'U', false, 0),
    row(143, "_xml", 0, 142, -1, 'b', 'A', false, 0),
    row(194, "pg_node_tree", 0, 0, -1, 'b', 'Z', false, 100),
    row(199, "_json", 0, 114, -1, 'b', 'A', false, 0),
    row(210, "_pg_type", 0, 71, -1, 'b', 'A', false, 0),
    row(269, "table_am_handler", 0, 0, 4, 'p', 'P', false, 0),
    row(270, "_pg_attribute", 0, 75, -1, 'b', 'A', false, 0),
    row(271, "_xid8", 0, 5069, -1, 'b', 'A', false, 0),
    row(272, "_pg_proc", 0, 81, -1, 'b', 'A', false, 0),
    row(273, "_pg_class", 0, 83, -1, 'b', 'A', false, 0),
    row(325, "index_am_handler", 0, 0, 4, 'p', 'P', false, 0),
    row(600, "point", 1017, 701, 16, 'b', 'G', false, 0),
    row(601, "lseg", 1018, 600, 32, 'b', 'G', false, 0),
    row(602, "path", 1019, 0, -1, 'b', 'G', false, 0),
    row(603, "box", 1020, 600, 32, 'b', 'G', false, 0),
    row(604, "polygon", 1027, 0, -1, 'b', 'G', false, 0),
    row(628, "line", 629, 701, 24, 'b', 'G', false, 0),
    row(629, "_line", 0, 628, -1, 'b', 'A', false, 0),
    row(650, "cidr", 651, 0, -1, 'b', 'I', false, 0),
    row(651, "_cidr", 0, 650, -1, 'b', 'A', false, 0),
    row(700, "float4", 1021, 0, 4, 'b', 'N', false, 0),
    row(701, "float8", 1022, 0, 8, 'b', 'N', true, 0),
    row(705, "unknown", 0, 0, -2, 'p', 'X', false, 0),
    row(718, "circle", 719, 0, 24, 'b', 'G', false, 0),
    row(719, "_circle", 0, 718, -1, 'b', 'A', false, 0),
    row(774, "macaddr8", 775, 0, 8, 'b', 'U', false, 0),
    row(775, "_macaddr8", 0, 774, -1, 'b', 'A', false, 0),
    row(790, "money", 791, 0, 8, 'b', 'N', false, 0),
    row(791, "_money", 0, 790, -1, 'b', 'A', false, 0),
    row(829, "macaddr", 1040, 0, 6, 'b', 'U', false, 0),
    row(869, "inet", 1041, 0, -1, 'b', 'I', true, 0),
    row(1000, "_bool", 0, 16, -1, 'b', 'A', false, 0),
    row(1001, "_bytea", 0, 17, -1, 'b', 'A', false, 0),
    row(1002, "_char", 0, 18, -1, 'b', 'A', false, 0),
    row(1003, "_name", 0, 19, -1, 'b', 'A', false, 950),
    row(1005, "_int2", 0, 21, -1, 'b', 'A', false, 0),
    row(1006, "_int2vector", 0, 22, -1, 'b', 'A', false, 0),
    row(1007, "_int4", 0, 23, -1, 'b', 'A', false, 0),
    row(1008, "_regproc", 0, 24, -1, 'b', 'A', false, 0),
    row(1009, "_text", 0, 25, -1, 'b', 'A', false, 100),
    row(1010, "_tid", 0, 27, -1, 'b', 'A', false, 0),
    row(1011, "_xid", 0, 28, -1, 'b', 'A', false, 0),
    row(1012, "_cid", 0, 29, -1, 'b', 'A', false, 0),
    row(1013, "_oidvector", 0, 30, -1, 'b', 'A', false, 0),
    row(1014, "_bpchar", 0, 1042, -1, 'b', 'A', false, 100),
    row(1015, "_varchar", 0, 1043, -1, 'b', 'A', false, 100),
    row(1016, "_int8", 0, 20, -1, 'b', 'A', false, 0),
    row(1017, "_point", 0, 600, -1, 'b', 'A', false, 0),
    row(1018, "_lseg", 0, 601, -1, 'b', 'A', false, 0),
    row(1019, "_path", 0, 602, -1, 'b', 'A', false, 0),
    row(1020, "_box", 0, 603, -1, 'b', 'A', false, 0),
    row(1021, "_float4", 0, 700, -1, 'b', 'A', false, 0),
    row(1022, "_float8", 0, 701, -1, 'b', 'A', false, 0),
    row(1027, "_polygon", 0, 604, -1, 'b', 'A', false, 0),
    row(1028, "_oid", 0, 26, -1, 'b', 'A', false, 0),
    row(1033, "aclitem", 1034, 0, 12, 'b', 'U', false, 0),
    row(1034, "_aclitem", 0, 1033, -1, 'b', 'A', false, 0),
    row(1040, "_macaddr", 0, 829, -1, 'b', 'A', false, 0),
    row(1041, "_inet", 0, 869, -1, 'b', 'A', false, 0),
    row(1042, "bpchar", 1014, 0, -1, 'b', 'S', false, 100),
    row(1043, "varchar", 1015, 0, -1, 'b', 'S', false, 100),
    row(1082, "date", 1182, 0, 4, 'b', 'D', false, 0),
    row(1083, "time", 1183, 0, 8, 'b', 'D', false, 0),
    row(1114, "timestamp", 1115, 0, 8, 'b', 'D', false, 0),
    row(1115, "_timestamp", 0, 1114, -1, 'b', 'A', false, 0),
    row(1182, "_date", 0, 1082, -1, 'b', 'A', false, 0),
    row(1183, "_time", 0, 1083, -1, 'b', 'A', false, 0),
    row(1184, "timestamptz", 1185, 0, 8, 'b', 'D', true, 0),
    row(1185, "_timestamptz", 0, 1184, -1, 'b', 'A', false, 0),
    row(1186, "interval", 1187, 0, 16, 'b', 'T', true, 0),
    row(1187, "_interval", 0, 1186, -1, 'b', 'A', false, 0),
    row(1231, "_numeric", 0, 1700, -1, 'b', 'A', false, 0),
    row(1248, "pg_database", 10052, 0, -1, 'c', 'C', false, 0),
    row(1263, "_cstring", 0, 2275, -1, 'b', 'A', false, 0),
    row(1266, "timetz", 1270, 0, 12, 'b', 'D', false, 0),
    row(1270, "_timetz", 0, 1266, -1, 'b', 'A', false, 0),
    row(1560, "bit", 1561, 0, -1, 'b', 'V', false, 0),
    row(1561, "_bit", 0, 1560, -1, 'b', 'A', false, 0),
    row(1562, "varbit", 1563, 0, -1, 'b', 'V', true, 0),
    row(1563, "_varbit", 0, 1562, -1, 'b', 'A', false, 0),
    row(1700, "numeric", 1231, 0, -1, 'b', 'N', false, 0),
    row(1790, "refcursor", 2201, 0, -1, 'b', 'U', false, 0),
    row(2201, "_refcursor", 0, 1790, -1, 'b', 'A', false, 0),
    row(2202, "regprocedure", 2207, 0, 4, 'b', 'N', false, 0),
    row(2203, "regoper", 2208, 0, 4, 'b', 'N', false, 0),
    row(2204, "regoperator", 2209, 0, 4, 'b', 'N', false, 0),
    row(2205, "regclass", 2210, 0, 4, 'b', 'N', false, 0),
    row(2206, "regtype", 2211, 0, 4, 'b', 'N', false, 0),
    row(2207, "_regprocedure", 0, 2202, -1, 'b', 'A', false, 0),
    row(2208, "_regoper", 0, 2203, -1, 'b', 'A', false, 0),
    row(2209, "_regoperator", 0, 2204, -1, 'b', 'A', false, 0),
    row(2210, "_regclass", 0, 2205, -1, 'b', 'A', false, 0),
    row(2211, "_regtype", 0, 2206, -1, 'b', 'A', false, 0),
    row(2249, "record", 2287, 0, -1, 'p', 'P', false, 0),
    row(2275, "cstring", 1263, 0, -2, 'p', 'P', false, 0),
    row(2276, "any", 0, 0, 4, 'p', 'P', false, 0),
    row(2277, "anyarray", 0, 0, -1, 'p', 'P', false, 0),
    row(2278, "void", 0, 0, 4, 'p', 'P', false, 0),
    row(2279, "trigger", 0, 0, 4, 'p', 'P', false, 0),
    row(2280, "language_handler", 0, 0, 4, 'p', 'P', false, 0),
    row(2281, "internal", 0, 0, 8, 'p', 'P', false, 0),
    row(2283, "anyelement", 0, 0, 4, 'p', 'P', false, 0),
    row(2287, "_record", 0, 2249, -1, 'p', 'P', false, 0),
    row(2776, "anynonarray", 0, 0, 4, 'p', 'P', false, 0),
    row(2842, "pg_authid", 10057, 0, -1, 'c', 'C', false, 0),
    row(2843, "pg_auth_members", 10058, 0, -1, 'c', 'C', false, 0),
    row(2949, "_txid_snapshot", 0, 2970, -1, 'b', 'A', false, 0),
    row(2950, "uuid", 2951, 0, 16, 'b', 'U', false, 0),
    row(2951, "_uuid", 0, 2950, -1, 'b', 'A', false, 0),
    row(2970, "txid_snapshot", 2949, 0, -1, 'b', 'U', false, 0),
    row(3115, "fdw_handler", 0, 0, 4, 'p', 'P', false, 0),
    row(3220, "pg_lsn", 3221, 0, 8, 'b', 'U', false, 0),
    row(3221, "_pg_lsn", 0, 3220, -1, 'b', 'A', false, 0),
    row(3310, "tsm_handler", 0, 0, 4, 'p', 'P', false, 0),
    row(3361, "pg_ndistinct", 0, 0, -1, 'b', 'Z', false, 100),
    row(3402, "pg_dependencies", 0, 0, -1, 'b', 'Z', false, 100),
    row(3500, "anyenum", 0, 0, 4, 'p', 'P', false, 0),
    row(3614, "tsvector", 3643, 0, -1, 'b', 'U', false, 0),
    row(3615, "tsquery", 3645, 0, -1, 'b', 'U', false, 0),
    row(3642, "gtsvector", 3644, 0, -1, 'b', 'U', false, 0),
    row(3643, "_tsvector", 0, 3614, -1, 'b', 'A', false, 0),
    row(3644, "_gtsvector", 0, 3642, -1, 'b', 'A', false, 0),
    row(3645, "_tsquery", 0, 3615, -1, 'b', 'A', false, 0),
    row(3734, "regconfig", 3735, 0, 4, 'b', 'N', false, 0),
    row(3735, "_regconfig", 0, 3734, -1, 'b', 'A', false, 0),
    row(3769, "regdictionary", 3770, 0, 4, 'b', 'N', false, 0),
    row(3770, "_regdictionary", 0, 3769, -1, 'b', 'A', false, 0),
    row(3802, "jsonb", 3807, 0, -1, 'b', 'U', false, 0),
    row(3807, "_jsonb", 0, 3802, -1, 'b', 'A', false, 0),
    row(3831, "anyrange", 0, 0, -1, 'p', 'P', false, 0),
    row(3838, "event_trigger", 0, 0, 4, 'p', 'P', false, 0),
    row(3904, "int4range", 3905, 0, -1, 'r', 'R', false, 0),
    row(3905, "_int4range", 0, 3904, -1, 'b', 'A', false, 0),
    row(3906, "numrange", 3907, 0, -1, 'r', 'R', false, 0),
    row(3907, "_numrange", 0, 3906, -1, 'b', 'A', false, 0),
    row(3908, "tsrange", 3909, 0, -1, 'r', 'R', false, 0),
    row(3909, "_tsrange", 0, 3908, -1, 'b', 'A', false, 0),
    row(3910, "tstzrange", 3911, 0, -1, 'r', 'R', false, 0),
    row(3911, "_tstzrange", 0, 3910, -1, 'b', 'A', false, 0),
    row(3912, "daterange", 3913, 0, -1, 'r', 'R', false, 0),
    row(3913, "_daterange", 0, 3912, -1, 'b', 'A', false, 0),
    row(3926, "int8range", 3927, 0, -1, 'r', 'R', false, 0),
    row(3927, "_int8range", 0, 3926, -1, 'b', 'A', false, 0),
    row(4066, "pg_shseclabel", 10093, 0, -1, 'c', 'C', false, 0),
    row(4072, "jsonpath", 4073, 0, -1, 'b', 'U', false, 0),
    row(4073, "_jsonpath", 0, 4072, -1, 'b', 'A', false, 0),
    row(4089, "regnamespace", 4090, 0, 4, 'b', 'N', false, 0),
    row(4090, "_regnamespace", 0, 4089, -1, 'b', 'A', false, 0),
    row(4096, "regrole", 4097, 0, 4, 'b', 'N', false, 0),
    row(4097, "_regrole", 0, 4096, -1, 'b', 'A', false, 0),
    row(4191, "regcollation", 4192, 0, 4, 'b', 'N', false, 0),
    row(4192, "_regcollation", 0, 4191, -1, 'b', 'A', false, 0),
    row(4451, "int4multirange", 6150, 0, -1, 'm', 'R', false, 0),
    row(4532, "nummultirange", 6151, 0, -1, 'm', 'R', false, 0),
    row(4533, "tsmultirange", 6152, 0, -1, 'm', 'R', false, 0),
    row(4534, "tstzmultirange", 6153, 0, -1, 'm', 'R', false, 0),
    row(4535, "datemultirange", 6155, 0, -1, 'm', 'R', false, 0),
    row(4536, "int8multirange", 6157, 0, -1, 'm', 'R', false, 0),
    row(4537, "anymultirange", 0, 0, -1, 'p', 'P', false, 0),
    row(4538, "anycompatiblemultirange", 0, 0, -1, 'p', 'P', false, 0),
    row(4600, "pg_brin_bloom_summary", 0, 0, -1, 'b', 'Z', false, 100),
    row(4601, "pg_brin_minmax_multi_summary", 0, 0, -1, 'b', 'Z', false, 100),
    row(5017, "pg_mcv_list", 0, 0, -1, 'b', 'Z', false, 100),
    row(5038, "pg_snapshot", 5039, 0, -1, 'b', 'U', false, 0),
    row(5039, "_pg_snapshot", 0, 5038, -1, 'b', 'A', false, 0),
    row(5069, "xid8", 271, 0, 8, 'b', 'U', false, 0),
    row(5077, "anycompatible", 0, 0, 4, 'p', 'P', false, 0),
    row(5078, "anycompatiblearray", 0, 0, -1, 'p', 'P', false, 0),
    row(5079, "anycompatiblenonarray", 0, 0, 4, 'p', 'P', false, 0),
    row(5080, "anycompatiblerange", 0, 0, -1, 'p', 'P', false, 0),
    row(6101, "pg_subscription", 10112, 0, -1, 'c', 'C', false, 0),
    row(6150, "_int4multirange", 0, 4451, -1, 'b', 'A', false, 0),
    row(6151, "_nummultirange", 0, 4532, -1, 'b', 'A', false, 0),
    row(6152, "_tsmultirange", 0, 4533, -1, 'b', 'A', false, 0),
    row(6153, "_tstzmultirange", 0, 4534, -1, 'b', 'A', false, 0),
    row(6155, "_datemultirange", 0, 4535, -1, 'b', 'A', false, 0),
    row(6157, "_int8multirange", 0, 4536, -1, 'b', 'A', false, 0),
    // Types of extensions (`extension_facts`): they have a name only where the extension is.
    row(15001, "citext", 15002, 0, -1, 'b', 'S', false, 100),
    row(15002, "_citext", 0, 15001, -1, 'b', 'A', false, 100),
    row(15003, "hstore", 15004, 0, -1, 'b', 'U', false, 0),
    row(15004, "_hstore", 0, 15003, -1, 'b', 'A', false, 0),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::oid;

    #[test]
    fn rows_are_ordered_and_arrays_point_back() {
        assert!(TYPES.windows(2).all(|pair| pair[0].oid < pair[1].oid));
        for info in TYPES.iter().filter(|info| info.array != 0 && info.kind != 'c') {
            assert_eq!(type_info(info.array).map(|array| array.element), Some(info.oid), "{}", info.name);
        }
    }

    #[test]
    fn look_ups() {
        assert_eq!(type_by_name("int4").map(|info| info.oid), Some(oid::INT4));
        assert_eq!(array_of(oid::TEXT), Some(oid::TEXT_ARRAY));
        assert_eq!(element_of(oid::INT2VECTOR), Some(oid::INT2));
        assert!(!is_array(oid::NAME) && !is_array(oid::POINT) && is_array(oid::NUMERIC_ARRAY));
    }
}
