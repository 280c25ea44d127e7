//! Expectations are PostgreSQL 15's: its grouping as EXPLAIN (VERBOSE) prints it, its errors with their places.

use super::ast::*;
use super::utility::*;
use super::{parse, parse_expression, parse_query, parse_type_name};

/// The expression with all its parentheses.
fn shape(expr: &Expr) -> String {
    let list = |exprs: &[Expr], between: &str| exprs.iter().map(shape).collect::<Vec<_>>().join(between);
    let not = |negated: &bool| if *negated { "NOT " } else { "" };
    match &expr.kind {
        ExprKind::Literal(Literal::Integer(digits) | Literal::Decimal(digits)) => digits.clone(),
        ExprKind::Literal(Literal::String(text)) => format!("'{text}'"),
        ExprKind::Literal(Literal::Null) => "NULL".into(),
        ExprKind::Column(name) => name.parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join("."),
        ExprKind::Unary { op, arg } => format!("({} {})", op.name, shape(arg)),
        ExprKind::Binary { op, left, right } => format!("({} {} {})", shape(left), op.name, shape(right)),
        ExprKind::And(terms) => format!("({})", list(terms, " AND ")),
        ExprKind::Or(terms) => format!("({})", list(terms, " OR ")),
        ExprKind::Not(arg) => format!("(NOT {})", shape(arg)),
        ExprKind::IsNull { arg, negated } => format!("({} IS {}NULL)", shape(arg), not(negated)),
        ExprKind::IsDistinctFrom { left, right, negated } => {
            format!("({} IS {}DISTINCT FROM {})", shape(left), not(negated), shape(right))
        }
        ExprKind::Between { arg, low, high, negated, .. } => {
            format!("({} {}BETWEEN {} AND {})", shape(arg), not(negated), shape(low), shape(high))
        }
        ExprKind::InList { arg, list: items, negated } => {
            format!("({} {}IN ({}))", shape(arg), not(negated), list(items, ", "))
        }
        ExprKind::Like { arg, pattern, escape, negated, .. } => {
            let escape = escape.as_ref().map_or(String::new(), |escape| format!(" ESCAPE {}", shape(escape)));
            format!("({} {}LIKE {}{escape})", shape(arg), not(negated), shape(pattern))
        }
        ExprKind::QuantifiedArray { left, op, array, all } => {
            format!("({} {} {} {})", shape(left), op.name, if *all { "ALL" } else { "ANY" }, shape(array))
        }
        ExprKind::Cast { arg, ty } => format!("({}::{})", shape(arg), type_shape(ty)),
        ExprKind::TypedLiteral { ty, value } => format!("{} '{value}'", type_shape(ty)),
        ExprKind::Collate { arg, collation } => format!("({} COLLATE {})", shape(arg), collation.parts[0].name),
        ExprKind::AtTimeZone { arg, zone } => format!("({} AT TIME ZONE {})", shape(arg), shape(zone)),
        ExprKind::Field { arg, field } => format!("({}).{}", shape(arg), field.name),
        ExprKind::Array(items) => format!("[{}]", list(items, ", ")),
        ExprKind::Row { fields, .. } => format!("ROW({})", list(fields, ", ")),
        ExprKind::Call(call) => {
            let name = call.name.parts.last().map_or("", |part| part.name.as_str());
            let args = call.args.iter().map(|arg| shape(&arg.value)).collect::<Vec<_>>().join(", ");
            format!("{name}({args})")
        }
        ExprKind::Subscript { arg, subscripts } => format!("{}[{}]", shape(arg), subscripts.len()),
        other => format!("{other:?}"),
    }
}

fn type_shape(ty: &TypeName) -> String {
    let name = ty.name.parts.last().map_or("", |part| part.name.as_str());
    let modifiers = ty.modifiers.iter().map(shape).collect::<Vec<_>>().join(",");
    let modifiers = if modifiers.is_empty() { modifiers } else { format!("({modifiers})") };
    let fields = ty.interval_fields.map_or(String::new(), |fields| format!(" {fields:#x}"));
    format!("{name}{modifiers}{fields}{}", "[]".repeat(ty.array_dimensions))
}

fn expr(sql: &str) -> String {
    parse_expression(sql).map_or_else(|error| format!("{error:?}"), |expr| shape(&expr))
}

fn utility(sql: &str) -> Utility {
    match parse(sql).unwrap().pop().unwrap().statement {
        Statement::Utility(utility) => *utility,
        other => panic!("{other:?}"),
    }
}

#[test]
fn operators_group_as_in_postgresql() {
    for (sql, expected) in [
        ("a + b * c", "(a + (b * c))"),
        ("NOT a = b", "(NOT (a = b))"),
        ("- 2 ^ 2", "((- 2) ^ 2)"),
        ("-a::int", "(- (a::int4))"),
        ("a || b -> c", "((a || b) -> c)"),
        ("a || b + c", "(a || (b + c))"),
        ("x IS NULL = y", "((x IS NULL) = y)"),
        ("x = y IS NULL", "((x = y) IS NULL)"),
        ("a BETWEEN 1 AND 2 AND c", "((a BETWEEN 1 AND 2) AND c)"),
        ("a + b BETWEEN 1 AND 2", "((a + b) BETWEEN 1 AND 2)"),
        ("a::int BETWEEN 1 AND 2 OR c", "(((a::int4) BETWEEN 1 AND 2) OR c)"),
        ("a NOT BETWEEN 1 AND 2 + 3", "(a NOT BETWEEN 1 AND (2 + 3))"),
        ("a = b OR c AND NOT d", "((a = b) OR (c AND (NOT d)))"),
        ("a LIKE b || c ESCAPE d", "(a LIKE (b || c) ESCAPE d)"),
        ("a LIKE b = c", "((a LIKE b) = c)"),
        ("a AT TIME ZONE b + c", "((a AT TIME ZONE b) + c)"),
        ("a || b COLLATE c", "(a || (b COLLATE c))"),
        ("@ a + b", "(@ (a + b))"),
        ("a OPERATOR(pg_catalog.+) b * c", "(a + (b * c))"),
        ("a * b OPERATOR(+) c", "((a * b) + c)"),
        ("a - b - c", "((a - b) - c)"),
        ("a != b", "(a <> b)"),
        ("a IS DISTINCT FROM b AND c", "((a IS DISTINCT FROM b) AND c)"),
        ("a NOT IN (1, 2) AND b", "((a NOT IN (1, 2)) AND b)"),
        ("a = ANY (b) AND c", "((a = ANY b) AND c)"),
        ("a NOT LIKE ALL (b)", "(a !~~ ALL b)"),
        ("(a).b.c", "((a).b).c"),
        ("a[1][2]", "a[2]"),
        ("ARRAY[[1, 2], [3, 4]]", "[[1, 2], [3, 4]]"),
    ] {
        assert_eq!(expr(sql), expected, "{sql}");
    }
}

#[test]
fn call_syntaxes_become_functions() {
    for (sql, expected) in [
        ("extract(year FROM a)", "extract('year', a)"),
        ("substring(a FROM 1 FOR 2)", "substring(a, 1, 2)"),
        ("substring(a FOR 2)", "substring(a, 1, (2::int4))"),
        ("position(a IN b)", "position(b, a)"),
        ("trim(LEADING 'x' FROM a)", "ltrim(a, 'x')"),
        ("overlay(a PLACING b FROM 1)", "overlay(a, b, 1)"),
        ("(a, b) OVERLAPS (c, d)", "overlaps(a, b, c, d)"),
        ("current_schema()", "current_schema()"),
    ] {
        assert_eq!(expr(sql), expected, "{sql}");
    }
}

#[test]
fn constants_are_decoded() {
    for (sql, expected) in [
        ("'it''s'", "'it's'"),
        (r"'a\n'", r"'a\n'"),
        (r"E'a\n\x41\102\u00e9\\'", "'a\nABé\\'"),
        ("'a'\n  'b'", "'ab'"),
        ("$$a$b$$", "'a$b'"),
        ("$x$a$$b$x$", "'a$$b'"),
        (r"U&'\0041\+01F600'", "'A😀'"),
        ("U&'!0041' UESCAPE '!'", "'A'"),
        ("0x1F", "31"),
        ("1_000", "1000"),
        ("1.5e3", "1.5e3"),
        (r#"U&"\0061b""#, "ab"),
        (r#""A""b""#, "A\"b"),
    ] {
        assert_eq!(expr(sql), expected, "{sql}");
    }
    assert_eq!(parse_expression("X'1f'").unwrap().kind, ExprKind::Literal(Literal::Bits("00011111".into())));
}

#[test]
fn types_have_their_internal_names() {
    for (sql, expected) in [
        ("int", "int4"),
        ("double precision", "float8"),
        ("float(10)", "float4"),
        ("dec(10, 2)[]", "numeric(10,2)[]"),
        ("char", "bpchar(1)"),
        ("character varying(5)", "varchar(5)"),
        ("timestamp(3) with time zone", "timestamptz(3)"),
        ("time without time zone", "time"),
        ("interval day to second(3)", "interval(3) 0x1c08"),
        ("bit varying", "varbit"),
        ("text array[3]", "text[]"),
        ("public.mood[][]", "mood[][]"),
    ] {
        assert_eq!(parse_type_name(sql).map(|ty| type_shape(&ty)).unwrap(), expected, "{sql}");
    }
    assert!(parse_type_name("int, 1").is_err());
}

#[test]
fn errors_have_postgresql_s_words_and_places() {
    for (sql, message, position) in [
        ("SELECT FROM WHERE", "syntax error at or near \"WHERE\"", 12),
        ("DROP TABLE;", "syntax error at or near \";\"", 10),
        ("CREATE foo", "syntax error at or near \"foo\"", 7),
        ("SELECT (((1", "syntax error at end of input", 11),
        ("SELECT 'abc", "unterminated quoted string at or near \"'abc\"", 7),
        ("SELECT \"\"", "zero-length delimited identifier at or near \"\"\"\"", 7),
        ("SELECT 1 /* x", "unterminated /* comment at or near \"/* x\"", 9),
        ("SELECT 123abc", "trailing junk after numeric literal at or near \"123abc\"", 7),
        ("SELECT 1 = 2 = 3", "syntax error at or near \"=\"", 13),
        ("SELECT 'a' 'b'", "syntax error at or near \"'b'\"", 11),
        ("SELECT a, FROM t", "syntax error at or near \"FROM\"", 10),
        ("SELECT 1 WHERE = 1", "syntax error at or near \"=\"", 15),
        ("SELECT f(1)[1]", "syntax error at or near \"[\"", 11),
        ("SELECT a b c", "syntax error at or near \"c\"", 11),
        ("BEGIN COMMIT", "syntax error at or near \"COMMIT\"", 6),
        ("SELECT 1 ORDER BY 1 UNION SELECT 2", "syntax error at or near \"UNION\"", 20),
        ("CREATE TABLE join (a int)", "syntax error at or near \"join\"", 13),
        ("SELECT 1; SELEC 2", "syntax error at or near \"SELEC\"", 10),
    ] {
        let error = parse(sql).expect_err(sql);
        assert_eq!((error.message(), error.fields().position), (message, Some(position)), "{sql}");
        assert_eq!(error.code().as_str(), "42601", "{sql}");
    }
}

#[test]
fn nesting_is_limited_before_it_costs_a_stack() {
    for sql in [
        format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("SELECT {}a", "NOT ".repeat(100_000)),
        format!("SELECT {}a", "- ".repeat(100_000)),
        format!("SELECT a{}", " || a".repeat(100_000)),
        format!("SELECT a{}", "::int".repeat(5_000)),
        format!("SELECT {}1", "CASE WHEN a THEN ".repeat(5_000)),
    ] {
        assert_eq!(parse(&sql).unwrap_err().code().as_str(), "54001", "{}", &sql[..40]);
    }
    assert!(parse(&format!("SELECT {}1{}", "(".repeat(900), ")".repeat(900))).is_ok());
    assert!(parse(&format!("SELECT 1 WHERE {}a", "a = 1 OR ".repeat(5_000))).is_ok());
}

#[test]
fn statements_are_split_and_empty_ones_left_out() {
    assert_eq!(parse("").unwrap(), vec![]);
    assert_eq!(parse(" -- ping").unwrap(), vec![]);
    let statements = parse("SELECT $2;; SELECT $1 /* x */ ; ").unwrap();
    let spans = statements.iter().map(|statement| (statement.span.start, statement.span.end)).collect::<Vec<_>>();
    assert_eq!(spans, [(0, 9), (12, 21)]);
    assert_eq!(statements.iter().map(|statement| statement.parameter_count).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn set_operations_and_joins_group_as_in_postgresql() {
    let query = parse_query("SELECT 1 UNION SELECT 2 INTERSECT SELECT 3 EXCEPT SELECT 4 ORDER BY 1").unwrap();
    let SetExpr::Operation { op: SetOperator::Except, left, .. } = query.body else { panic!() };
    let SetExpr::Operation { op: SetOperator::Union, right, .. } = *left else { panic!() };
    assert!(matches!(*right, SetExpr::Operation { op: SetOperator::Intersect, .. }));
    assert_eq!(query.order_by.len(), 1);

    let query = parse_query("SELECT FROM a NATURAL JOIN b CROSS JOIN c JOIN d JOIN e ON x ON y").unwrap();
    let SetExpr::Select(mut select) = query.body else { panic!() };
    let Some(TableExpr::Join(join)) = select.from.pop() else { panic!() };
    assert!(matches!(&join.left, TableExpr::Join(left) if left.kind == JoinKind::Cross));
    assert!(matches!(&join.right, TableExpr::Join(right) if right.kind == JoinKind::Inner));
}

#[test]
fn with_belongs_to_the_whole_set_operation() {
    let query = parse_query("WITH w AS (SELECT 1) SELECT 2 UNION SELECT 3").unwrap();
    assert!(query.with.is_some() && matches!(query.body, SetExpr::Operation { .. }));
    assert!(parse("SELECT 1 UNION WITH w AS (SELECT 1) SELECT 2").is_err());
}

#[test]
fn select_into_is_create_table_as() {
    let Utility::CreateTableAs(create) = utility("SELECT a INTO TEMP t FROM u") else { panic!() };
    assert!(create.temporary && create.name.parts[0].name == "t");
}

#[test]
fn settings_keep_their_values_as_text() {
    let set = |sql| match utility(sql) {
        Utility::Set { name, value: SetValue::Values(values), .. } => (name, values.join("|")),
        other => panic!("{other:?}"),
    };
    assert_eq!(set("SET search_path TO a, 'B', \"C\""), ("search_path".into(), "a|B|C".into()));
    assert_eq!(set("SET LOCAL x.y = -1.5"), ("x.y".into(), "-1.5".into()));
    assert_eq!(set("SET jit = OFF"), ("jit".into(), "off".into()));
    assert_eq!(set("SET TIME ZONE 'UTC'"), ("timezone".into(), "UTC".into()));
    assert_eq!(set("SET ROLE joe"), ("role".into(), "joe".into()));
    assert_eq!(utility("SHOW TRANSACTION ISOLATION LEVEL"), Utility::Show("transaction_isolation".into()));
}

#[test]
fn fetch_counts_and_directions() {
    let fetch = |sql| match utility(sql) {
        Utility::Fetch { direction, count, .. } => (direction, count),
        other => panic!("{other:?}"),
    };
    assert_eq!(fetch("FETCH c"), (FetchDirection::Forward, FetchCount::Rows(1)));
    assert_eq!(fetch("FETCH BACKWARD ALL FROM c"), (FetchDirection::Backward, FetchCount::All));
    assert_eq!(fetch("FETCH LAST IN c"), (FetchDirection::Absolute, FetchCount::Rows(-1)));
    assert_eq!(fetch("MOVE -3 c"), (FetchDirection::Forward, FetchCount::Rows(-3)));
}

#[test]
fn copy_options_of_both_syntaxes_agree() {
    let options = |sql| match utility(sql) {
        Utility::Copy(copy) => copy.options,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        options("COPY t FROM STDIN WITH (FORMAT csv, DELIMITER ';', FORCE_NULL (a))"),
        options("COPY t FROM STDIN CSV DELIMITER AS ';' FORCE NULL a"),
    );
}

#[test]
fn alter_table_alone_is_a_rename() {
    assert!(matches!(utility("ALTER TABLE t RENAME a TO b"), Utility::Rename { column: Some(_), .. }));
    assert!(matches!(utility("ALTER TABLE t OWNER TO joe"), Utility::SetOwner { .. }));
    let Utility::AlterTable(alter) = utility("ALTER TABLE t ADD a int DEFAULT 1 + 1, DROP b CASCADE") else { panic!() };
    assert!(matches!(&alter.actions[..], [
        AlterTableAction::AddColumn { column, .. },
        AlterTableAction::DropColumn { cascade: true, .. },
    ] if matches!(&column.constraints[0].kind, ColumnConstraintKind::Default(_, text) if text == "1 + 1")));
}

#[test]
fn what_the_engine_lacks_has_its_name() {
    assert_eq!(
        utility("CREATE TRIGGER t AFTER INSERT ON a EXECUTE FUNCTION f()"),
        Utility::Unsupported("CREATE TRIGGER".into())
    );
}

#[test]
fn routines_have_parameters_and_a_body() {
    use crate::parse::routine::{ParameterMode, RoutineOption, SqlBody};
    let routine = |sql| match utility(sql) {
        Utility::CreateRoutine(create) => *create,
        other => panic!("{other:?}"),
    };
    let made = routine(
        "CREATE OR REPLACE FUNCTION f(a int, OUT b text, VARIADIC c int[] DEFAULT '{}') STRICT LANGUAGE sql AS 'SELECT 1'",
    );
    let modes: Vec<_> = made.parameters.iter().map(|parameter| parameter.mode).collect();
    assert_eq!(modes, [ParameterMode::Default, ParameterMode::Out, ParameterMode::Variadic]);
    assert!(made.or_replace && !made.procedure && made.returns.is_none());
    assert!(matches!(&made.options[1].0, RoutineOption::Language(name) if name == "sql"));
    assert!(matches!(&made.options[2].0, RoutineOption::As(body, None) if body == "SELECT 1"));

    let made = routine("CREATE FUNCTION f() RETURNS TABLE (a int) BEGIN ATOMIC; SELECT 1; SELECT 2; END");
    assert_eq!(made.parameters[0].mode, ParameterMode::Table);
    assert_eq!(made.body, Some(SqlBody::Atomic(vec!["SELECT 1".into(), "SELECT 2".into()])));
    assert_eq!(
        routine("CREATE FUNCTION f(a int) RETURNS int RETURN a + 1").body,
        Some(SqlBody::Return("a + 1".into()))
    );
}
