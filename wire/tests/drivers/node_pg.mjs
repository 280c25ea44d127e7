// node-postgres: text parameters of unknown type, named statements, cursors, COPY streams, cancel by the server's timeout.
import { createRequire } from 'node:module'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'

const require = createRequire((process.env.NODE_PATH ?? process.cwd()) + '/')
const pg = require('pg')
const Cursor = require('pg-cursor')
const copy = require('pg-copy-streams')

const tls = { disable: false, require: { rejectUnauthorized: false } }
const options = { ssl: tls[process.env.PGSSLMODE ?? 'disable'] ?? false }
let failed = 0

function equal (got, wanted) {
  if (JSON.stringify(got) !== JSON.stringify(wanted)) throw new Error(`got ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`)
}

async function check (name, body) {
  const only = (process.env.CHECKS ?? '').split(',').filter(Boolean)
  if (only.length > 0 && !only.includes(name)) return
  const client = new pg.Client(options)
  try {
    await client.connect()
    await body(client)
    console.log(`ok    ${name}`)
  } catch (error) {
    failed += 1
    console.log(`FAIL  ${name}: ${error.message}`)
  } finally {
    await client.end()
  }
}

async function refused (promise, code) {
  const error = await promise.then(() => null, error => error)
  if (error?.code !== code) throw new Error(`${code} expected, got ${error?.code}: ${error?.message}`)
  return error
}

await check('parameters', async client => {
  const result = await client.query('SELECT $1::int AS a, $2::text AS b, $3::timestamptz AS c, $4::jsonb AS d, $5::int[] AS e', [
    7, "it's", new Date(0), { x: [1, null] }, [1, 2]])
  equal(result.rows[0], { a: 7, b: "it's", c: new Date(0), d: { x: [1, null] }, e: [1, 2] })
  equal(result.fields.map(field => [field.name, field.dataTypeID]), [['a', 23], ['b', 25], ['c', 1184], ['d', 3802], ['e', 1007]])
})

await check('inferred parameters', async client => {
  equal((await client.query('SELECT $1 + 1 AS a, upper($2) AS b WHERE 3 > $3', [1, 'x', 2])).rows, [{ a: 2, b: 'X' }])
})

await check('binary results', async client => {
  const result = await client.query({ text: 'SELECT 7::int4 AS a, 1.5::float8 AS b, true AS c, \'x\'::text AS d', binary: true })
  equal(result.rows[0], { a: 7, b: 1.5, c: true, d: 'x' })
})

await check('named statement', async client => {
  for (let n = 0; n < 10; n++) {
    equal((await client.query({ name: 'double', text: 'SELECT $1::int * 2 AS a', values: [n] })).rows, [{ a: n * 2 }])
  }
})

await check('several statements', async client => {
  const results = await client.query('SELECT 1 AS a; SELECT 2 AS b, 3 AS c; SET application_name = \'x\'')
  equal(results.map(result => result.command), ['SELECT', 'SELECT', 'SET'])
})

await check('transaction', async client => {
  await client.query('CREATE TEMP TABLE drivers_transaction (a int PRIMARY KEY)')
  await client.query('BEGIN')
  equal((await client.query('INSERT INTO drivers_transaction VALUES ($1), ($2)', [1, 2])).rowCount, 2)
  const error = await refused(client.query('INSERT INTO drivers_transaction VALUES (1)'), '23505')
  equal(error.constraint, 'drivers_transaction_pkey')
  await refused(client.query('SELECT 1'), '25P02')
  await client.query('ROLLBACK')
  equal((await client.query('SELECT * FROM drivers_transaction')).rows, [])
})

await check('errors', async client => {
  equal((await refused(client.query('SELECT nope'), '42703')).position, '8')
  await refused(client.query('SELECT $1::int', ['x']), '22P02')
  await refused(client.query('SELECT 1/$1::int', [0]), '22012')
  equal((await client.query('SELECT 1 AS a')).rows, [{ a: 1 }])
})

await check('cursor', async client => {
  const cursor = client.query(new Cursor('SELECT i FROM generate_series(1, $1::int) AS g(i)', [250]))
  const counts = []
  for (let rows = await cursor.read(100); rows.length > 0; rows = await cursor.read(100)) counts.push(rows.length)
  equal(counts, [100, 100, 50])
  await cursor.close()
})

await check('copy', async client => {
  await client.query('CREATE TEMP TABLE drivers_copy (a int, b text)')
  const lines = Array.from({ length: 5000 }, (_, n) => `${n}\trow ${n}\n`)
  await pipeline(Readable.from(lines), client.query(copy.from('COPY drivers_copy FROM STDIN')))
  let text = ''
  for await (const chunk of client.query(copy.to('COPY (SELECT * FROM drivers_copy ORDER BY a) TO STDOUT'))) text += chunk
  equal(text, lines.join(''))
})

await check('statement timeout', async client => {
  await client.query('SET statement_timeout = 300')
  await refused(client.query('SELECT pg_sleep(30)'), '57014')
})

await check('pool', async () => {
  const pool = new pg.Pool({ ...options, max: 5 })
  const rows = await Promise.all(Array.from({ length: 50 }, (_, n) => pool.query('SELECT $1::int AS a', [n])))
  equal(rows.map(result => result.rows[0].a), Array.from({ length: 50 }, (_, n) => n))
  await pool.end()
})

process.exit(failed > 0 ? 1 : 0)
