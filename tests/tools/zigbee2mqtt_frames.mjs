// What every model that zigbee2mqtt knows can say of danger or of a person: `node zigbee2mqtt_frames.mjs <node_modules>`.
// One line of JSON each, after a first one that says what they were taken from. `normal` is the state at rest, `others`
// each field's other values. tests/frames/zigbee2mqtt/README.md says how the answer is kept.
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'

const modules = resolve(process.argv[2])
const require = createRequire(join(modules, 'from-here.js'))
const PACKAGE = 'zigbee-herdsman-converters'
const folder = join(modules, PACKAGE)
const { prepareDefinition } = require(PACKAGE)

const CHOSEN =
  /sos|emerg|panic|(^|_)fall(_|$)|smoke|gas|water|leak|carbon|(^|_)co(_|$)|contact|occup|presence|motion|vibrat|tamper|alarm|tilt|(^|_)bed(_|$)|pressure|door|opening|(^|_)heat$|movement|link_available|alert_state/
const BESIDE = /^(battery|battery_low|battery_state|battery_level|voltage|temperature|humidity|illuminance|fault|trouble|test)$/
const CALLS = /sos|emerg|panic/
const REST = /^(normal|none|clear|idle|ok|safe|inactive|closed|no_.*|.*_no)$/i
const PLAIN_ACTIONS = 3
const READ = 1

function* flat(expose) {
  if (expose.property !== undefined && expose.type !== 'composite' && expose.type !== 'list') yield expose
  if (expose.type !== 'composite') for (const feature of expose.features ?? []) yield* flat(feature)
}

function actionValues(values) {
  const calls = values.filter((value) => CALLS.test(value))
  return [...calls, ...values.filter((value) => !CALLS.test(value)).slice(0, PLAIN_ACTIONS)]
}

// At rest first, then whatever else it can say.
function values(expose) {
  if (expose.type === 'binary') return [expose.value_off, expose.value_on]
  if (expose.type === 'enum' && expose.name === 'action') return ['', ...actionValues(expose.values)]
  if (expose.type === 'enum') return [...expose.values].sort((a, b) => REST.test(b) - REST.test(a))
  if (expose.type === 'numeric') {
    const { value_min: least, value_max: most } = expose
    return [least !== undefined && most !== undefined ? Math.round((least + most) / 2) : 20]
  }
  return []
}

function line(definition) {
  const fields = new Map()
  let chosen = false
  const exposes = typeof definition.exposes === 'function' ? definition.exposes({ isDummyDevice: true }, {}) : definition.exposes
  for (const expose of exposes.flatMap((one) => [...flat(one)])) {
    const { property, access = READ } = expose
    const calls = expose.name === 'action' && expose.values?.some((value) => CALLS.test(value))
    if (!(access & READ) || !(CHOSEN.test(property) || BESIDE.test(property) || expose.name === 'action')) continue
    const given = values(expose)
    if (given.length === 0) continue
    chosen ||= CHOSEN.test(property) || calls
    fields.set(property, given)
  }
  if (!chosen) return null
  const sorted = [...fields].sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    vendor: definition.vendor,
    model: definition.model,
    normal: Object.fromEntries(sorted.map(([property, [rest]]) => [property, rest])),
    others: Object.fromEntries(sorted.map(([property, [, ...rest]]) => [property, rest]).filter(([, rest]) => rest.length)),
  }
}

const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json')))
const lines = readdirSync(join(folder, 'dist/devices'))
  .filter((name) => name.endsWith('.js'))
  .sort()
  .flatMap((name) => require(join(folder, 'dist/devices', name)).definitions ?? [])
  .map((definition) => line(prepareDefinition(definition)))
const held = lines.filter((one) => one !== null)
console.log(JSON.stringify({ package: PACKAGE, version, license, described: lines.length, held: held.length }))
for (const one of held) console.log(JSON.stringify(one))
