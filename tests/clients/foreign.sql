-- Foreign tables over the database :remote at port :port. Runs in a PostgreSQL 15.
CREATE EXTENSION postgres_fdw;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port :'port', dbname :'remote', fetch_size '7');
CREATE USER MAPPING FOR postgres SERVER far OPTIONS (user 'postgres');
CREATE SCHEMA remote;
IMPORT FOREIGN SCHEMA sales FROM SERVER far INTO remote;
\d remote.*
SELECT count(*), sum(amount) FROM remote.orders;
SELECT o.id, c.name, o.amount FROM remote.orders o JOIN remote.customer c ON c.id = o.customer_id WHERE o.amount > 280 ORDER BY o.id;
SELECT customer_id, count(*), avg(amount) FROM remote.orders GROUP BY 1 HAVING count(*) > 10 ORDER BY 1;
SELECT id, email, name, code, born, credit, active, tags, settings, avatar, visits, rating, score, wait, wake, kind, label, shout FROM remote.customer ORDER BY id;
CREATE TABLE local_names (id int, nick text); INSERT INTO local_names VALUES (1, 'A'), (2, 'B');
SELECT l.nick, sum(o.amount) FROM local_names l LEFT JOIN remote.orders o ON o.customer_id = l.id GROUP BY 1 ORDER BY 1;
INSERT INTO remote.line VALUES (1, 99, 'from afar', 3) RETURNING *;
UPDATE remote.line SET quantity = quantity + 1 WHERE order_id = 1 AND line = 99 RETURNING quantity;
UPDATE remote.line l SET product = n.nick FROM local_names n WHERE l.order_id = n.id AND l.line = 0 RETURNING l.order_id, l.product;
DELETE FROM remote.line WHERE line = 99 RETURNING product;
ALTER SERVER far OPTIONS (ADD batch_size '10');
INSERT INTO remote.line SELECT 5, i, 'batch', i FROM generate_series(100, 125) i;
SELECT count(*) FROM remote.line WHERE product = 'batch';
BEGIN; DELETE FROM remote.line WHERE product = 'batch'; SAVEPOINT s; INSERT INTO remote.line VALUES (1, 0, 'twice', 1); ROLLBACK TO s; SELECT count(*) FROM remote.line WHERE product = 'batch'; ROLLBACK;
SELECT count(*) FROM remote.line WHERE product = 'batch';
BEGIN; DECLARE c CURSOR FOR SELECT id FROM remote.orders ORDER BY id; FETCH 3 FROM c; MOVE 10 FROM c; FETCH 2 FROM c; COMMIT;
SELECT id FROM remote.orders WHERE id = ANY (ARRAY[3, 5]) ORDER BY id FOR UPDATE;
TRUNCATE remote.line;
SELECT count(*) FROM remote.line;
SELECT max(placed), min(note COLLATE "C") FROM remote.orders WHERE note LIKE 'note 1%' AND placed BETWEEN '2024-02-01' AND '2024-03-01';
ANALYZE remote.orders;
