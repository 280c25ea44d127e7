// pgjdbc: server-prepared statements after five runs (then binary), fetch size in portals, batches, COPY, metadata.
import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.*;
import java.util.Arrays;
import java.util.Properties;
import java.util.Set;

import org.postgresql.PGConnection;

public class Jdbc {
    interface Check {
        void run(Connection connection) throws Exception;
    }

    static int failed = 0;

    static String environment(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }

    static Connection connect() throws SQLException {
        String url = "jdbc:postgresql://" + environment("PGHOST", "127.0.0.1") + ":" + environment("PGPORT", "5432") + "/"
                + environment("PGDATABASE", "postgres");
        Properties properties = new Properties();
        properties.setProperty("user", environment("PGUSER", "postgres"));
        properties.setProperty("password", environment("PGPASSWORD", ""));
        properties.setProperty("sslmode", environment("PGSSLMODE", "prefer"));
        return DriverManager.getConnection(url, properties);
    }

    static void check(String name, Check check) {
        String only = environment("CHECKS", "");
        if (!only.isEmpty() && !Set.of(only.split(",")).contains(name)) {
            return;
        }
        try (Connection connection = connect()) {
            check.run(connection);
            System.out.println("ok    " + name);
        } catch (Throwable error) {
            failed++;
            System.out.println("FAIL  " + name + ": " + error);
            if (System.getenv("VERBOSE") != null) {
                error.printStackTrace(System.out);
            }
        }
    }

    static void equal(Object got, Object wanted) {
        if (!String.valueOf(got).equals(String.valueOf(wanted))) {
            throw new AssertionError("got " + got + ", not " + wanted);
        }
    }

    interface Statement2 {
        void run() throws SQLException;
    }

    static void refused(String state, Statement2 statement) {
        try {
            statement.run();
        } catch (SQLException error) {
            equal(error.getSQLState(), state);
            return;
        }
        throw new AssertionError(state + " expected");
    }

    static void run(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /** Ten runs: the sixth and later use a named statement and binary transfer. */
    static void values(Connection connection) throws Exception {
        String sql = "SELECT ?::int2, ?::int4, ?::int8, ?::float4, ?::float8, ?::numeric, ?::text, ?::bool, ?::date, ?::timestamp, ?::timestamptz, "
                + "?::bytea, ?::uuid, ?::int4[]";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int round = 0; round < 10; round++) {
                short small = (short) (Short.MIN_VALUE + round);
                long big = Long.MAX_VALUE - round;
                BigDecimal number = new BigDecimal("-12345678901234567890.12345" + round);
                Timestamp time = Timestamp.valueOf("2024-05-06 07:08:09.12345" + round);
                java.util.UUID uuid = new java.util.UUID(round, -round);
                statement.setShort(1, small);
                statement.setInt(2, round);
                statement.setLong(3, big);
                statement.setFloat(4, 1.5f * round);
                statement.setDouble(5, 0.1 * round);
                statement.setBigDecimal(6, number);
                statement.setString(7, "ä€" + round);
                statement.setBoolean(8, round % 2 == 0);
                statement.setDate(9, Date.valueOf("2024-02-29"));
                statement.setTimestamp(10, time);
                statement.setTimestamp(11, time);
                statement.setBytes(12, new byte[] {0, 1, (byte) round});
                statement.setObject(13, uuid);
                statement.setArray(14, connection.createArrayOf("int4", new Integer[] {round, null}));
                try (ResultSet row = statement.executeQuery()) {
                    row.next();
                    equal(row.getShort(1), small);
                    equal(row.getInt(2), round);
                    equal(row.getLong(3), big);
                    equal(row.getFloat(4), 1.5f * round);
                    equal(row.getDouble(5), 0.1 * round);
                    equal(row.getBigDecimal(6), number);
                    equal(row.getString(7), "ä€" + round);
                    equal(row.getBoolean(8), round % 2 == 0);
                    equal(row.getDate(9), "2024-02-29");
                    equal(row.getTimestamp(10), time);
                    equal(row.getTimestamp(11), time);
                    equal(Arrays.toString(row.getBytes(12)), Arrays.toString(new byte[] {0, 1, (byte) round}));
                    equal(row.getObject(13), uuid);
                    equal(Arrays.toString((Object[]) row.getArray(14).getArray()), "[" + round + ", null]");
                }
            }
            for (int column = 1; column <= 13; column++) {
                statement.setNull(column, Types.NULL);
            }
            statement.setNull(14, Types.ARRAY);
            try (ResultSet row = statement.executeQuery()) {
                row.next();
                for (int column = 1; column <= 14; column++) {
                    equal(row.getObject(column), null);
                }
            }
        }
    }

    static void fetchSize(Connection connection) throws Exception {
        connection.setAutoCommit(false);
        Runtime runtime = Runtime.getRuntime();
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(1000);
            long total = 0;
            try (ResultSet rows = statement.executeQuery("SELECT i, repeat('x', 100) FROM generate_series(1, 1000000) AS g(i)")) {
                while (rows.next()) {
                    total += rows.getInt(1);
                }
            }
            equal(total, 500000500000L);
        }
        connection.commit();
        System.gc();
        if (runtime.totalMemory() - runtime.freeMemory() > 100 << 20) {
            throw new AssertionError("rows were not fetched in pieces");
        }
    }

    static void transactions(Connection connection) throws Exception {
        run(connection, "CREATE TEMP TABLE drivers_transaction (a int PRIMARY KEY)");
        connection.setAutoCommit(false);
        run(connection, "INSERT INTO drivers_transaction VALUES (1)");
        Savepoint savepoint = connection.setSavepoint("s");
        refused("23505", () -> run(connection, "INSERT INTO drivers_transaction VALUES (1)"));
        refused("25P02", () -> run(connection, "SELECT 1"));
        connection.rollback(savepoint);
        run(connection, "INSERT INTO drivers_transaction VALUES (2)");
        connection.commit();
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT count(*) FROM drivers_transaction")) {
            rows.next();
            equal(rows.getInt(1), 2);
        }
        connection.rollback();
    }

    static void batch(Connection connection) throws Exception {
        run(connection, "CREATE TEMP TABLE drivers_batch (a int GENERATED ALWAYS AS IDENTITY, b text)");
        try (PreparedStatement statement =
                connection.prepareStatement("INSERT INTO drivers_batch (b) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
            for (int number = 0; number < 500; number++) {
                statement.setString(1, "row " + number);
                statement.addBatch();
            }
            equal(Arrays.stream(statement.executeBatch()).sum(), 500);
            int keys = 0;
            try (ResultSet rows = statement.getGeneratedKeys()) {
                while (rows.next()) {
                    equal(rows.getInt(1), ++keys);
                }
            }
            equal(keys, 500);
        }
    }

    static void copy(Connection connection) throws Exception {
        run(connection, "CREATE TEMP TABLE drivers_copy (a int, b text)");
        var copies = connection.unwrap(PGConnection.class).getCopyAPI();
        equal(copies.copyIn("COPY drivers_copy FROM STDIN (FORMAT csv)", new StringReader("1,x\n2,\"y\nz\"\n")), 2);
        StringWriter out = new StringWriter();
        copies.copyOut("COPY (SELECT * FROM drivers_copy ORDER BY a) TO STDOUT", out);
        equal(out.toString(), "1\tx\n2\ty\\nz\n");
    }

    static void metadata(Connection connection) throws Exception {
        run(connection, "DROP TABLE IF EXISTS drivers_meta");
        run(connection, "CREATE TABLE drivers_meta (id serial PRIMARY KEY, name varchar(20) NOT NULL, price numeric(10,2))");
        DatabaseMetaData metadata = connection.getMetaData();
        equal(metadata.getDatabaseMajorVersion(), 15);
        try (ResultSet columns = metadata.getColumns(null, "public", "drivers_meta", "%")) {
            StringBuilder found = new StringBuilder();
            while (columns.next()) {
                found.append(columns.getString("COLUMN_NAME")).append(' ').append(columns.getString("TYPE_NAME")).append(' ')
                        .append(columns.getInt("COLUMN_SIZE")).append(';');
            }
            equal(found, "id serial 10;name varchar 20;price numeric 10;");
        }
        try (ResultSet keys = metadata.getPrimaryKeys(null, "public", "drivers_meta")) {
            keys.next();
            equal(keys.getString("COLUMN_NAME"), "id");
        }
        try (PreparedStatement statement = connection.prepareStatement("SELECT id, name, price FROM drivers_meta WHERE id = ?")) {
            ResultSetMetaData columns = statement.getMetaData();
            equal(columns.getTableName(1) + columns.getColumnTypeName(2) + columns.getPrecision(3), "drivers_metavarchar10");
            equal(statement.getParameterMetaData().getParameterTypeName(1), "int4");
        }
        run(connection, "DROP TABLE drivers_meta");
    }

    static void cancel(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            refused("57014", () -> statement.execute("SELECT pg_sleep(30)"));
        }
        run(connection, "SELECT 1");
    }

    static void errors(Connection connection) {
        refused("42601", () -> run(connection, "SELEC 1"));
        refused("42P01", () -> run(connection, "SELECT * FROM nope"));
        refused("22012", () -> run(connection, "SELECT 1/0"));
    }

    public static void main(String[] arguments) {
        check("values", Jdbc::values);
        check("fetch size", Jdbc::fetchSize);
        check("transactions", Jdbc::transactions);
        check("batch", Jdbc::batch);
        check("copy", Jdbc::copy);
        check("metadata", Jdbc::metadata);
        check("cancel", Jdbc::cancel);
        check("errors", Jdbc::errors);
        System.exit(failed > 0 ? 1 : 0);
    }
}
