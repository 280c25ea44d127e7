-- Rows for the tables of describe/schema.sql: values of all types, and what is awkward to quote.
INSERT INTO sales.customer (email, name, code, born, credit, tags, settings, avatar, kind, label, wait, wake, rating, score) VALUES
  ('ann@example.org', 'Ann', 'AAAA', '1980-02-29', 12.50, '{a,"b c",NULL}', '{"k": [1, null]}', '\x00ff10', 'a', 'first', '1 mon -2 days', '23:59:59.5', 1.25, 'NaN'),
  ('bob@example.org', E'Bob\tO''Neil\\ \n', NULL, '1999-12-31', 9999.99, '{}', 'null', '', 'b', NULL, '00:00', '00:00', '-Infinity', 1e-300),
  ('çelik@example.org', 'Çelik €', 'CCCC', NULL, NULL, NULL, NULL, NULL, 'a', 'x', NULL, NULL, NULL, NULL);
INSERT INTO sales.orders (customer_id, referrer, placed, amount, state, note)
  SELECT 1 + i % 3, nullif(i % 4, 0), date '2024-01-01' + i, i * 1.5 + 0.01, (ARRAY['new', 'paid', 'sent'])[1 + i % 3], 'note ' || i
  FROM generate_series(1, 200) i;
INSERT INTO sales.line SELECT 1 + i % 200, i / 200, 'product ' || i % 7, i % 10 FROM generate_series(0, 999) i;
INSERT INTO counted (small) VALUES (1), (2);
INSERT INTO self_ref VALUES (1, 1), (2, 1), (3, 2);
INSERT INTO plain VALUES (1, '', NULL, 'infinity', DEFAULT, 2, 'select'), (2, '\N', '\.', '-infinity', 1e40, NULL, NULL);
INSERT INTO "Odd Name"."Odd Table" VALUES (1, 'quoted "text"');
INSERT INTO dropped VALUES (1, 2), (NULL, 3);
SELECT nextval('counter'), nextval('counter'), nextval('downward');
