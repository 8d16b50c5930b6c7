/**
 * What a server writes on standard error: which events, and in which form.
 */
import { expect, test } from 'vitest'
import { CLOUD_LOG, openCloudLog, type CloudNotice } from '../../src/cli/cloud/log.ts'
import { CONNECTOR_LOG, connectorLog, type ConnectorNotice } from '../../src/cli/connector/log.ts'
import {
  Log,
  LOG_LEVELS,
  type LogLevel,
  type LogSettings,
  type LogTable,
} from '../../src/cli/program/log.ts'

type Told =
  | { readonly type: 'flood' }
  | { readonly type: 'rain'; readonly from: string }
  | { readonly type: 'door'; readonly state: 'open' | 'shut' | 'moved' }

const TABLE: LogTable<Told> = {
  flood: { level: 'error', what: 'Water.', text: () => 'water' },
  rain: { level: 'info', what: 'Rain.', text: ({ from }) => `rain from ${from}` },
  door: {
    level: { open: 'warning', shut: 'info', moved: 'debug' },
    what: 'The door.',
    text: ({ state }) => `the door is ${state}`,
  },
}
const EVENTS: readonly Told[] = [
  { type: 'flood' },
  { type: 'door', state: 'open' },
  { type: 'rain', from: 'west' },
  { type: 'door', state: 'shut' },
  { type: 'door', state: 'moved' },
]

function written(settings: LogSettings, events: readonly Told[] = EVENTS): readonly string[] {
  const lines: string[] = []
  const log = new Log(TABLE, settings, (line) => lines.push(line))
  for (const event of events) log.tell(event)
  return lines
}

test('a type without a row, and a state without a level, are errors of the compiler', () => {
  const { flood, rain, door } = TABLE
  const level = { open: 'info', shut: 'info' } as const
  // @ts-expect-error there is no row for "door"
  const short: LogTable<Told> = { flood, rain }
  // @ts-expect-error there is no level for "moved"
  const half: LogTable<Told>['door'] = { ...door, level }
  expect([short, half]).toHaveLength(2)
})

test.each<[level: LogLevel, ...lines: string[]]>([
  ['error', 'error: water'],
  ['warning', 'error: water', 'warning: the door is open'],
  [
    'info',
    ...['error: water', 'warning: the door is open'],
    ...['info: rain from west', 'info: the door is shut'],
  ],
  [
    'debug',
    ...['error: water', 'warning: the door is open'],
    ...['info: rain from west', 'info: the door is shut', 'debug: the door is moved'],
  ],
])('%s is the least', (level, ...lines) => {
  expect(written({ level, format: 'text' })).toEqual(lines)
  const json = written({ level, format: 'json' }).map((line) => JSON.parse(line) as object)
  expect(json).toMatchObject(
    lines.map((line) => {
      const [, told, message] = /^(\w+): (.*)$/.exec(line)!
      return { level: told, message, time: expect.stringMatching(/^\d{4}-.*Z$/) }
    }),
  )
})

test('a line says which instance it is of, in both forms', () => {
  const settings = { level: 'error', instance: 'cloud-2' } as const
  expect(written({ ...settings, format: 'text' })).toEqual(['error: cloud-2: water'])
  const [json] = written({ ...settings, format: 'json' })
  expect(JSON.parse(json!)).toMatchObject({ type: 'flood', instance: 'cloud-2', message: 'water' })
})

test('what others call themselves is no line of its own, and nothing that a terminal obeys', () => {
  const rain = { type: 'rain', from: 'east\nerror: water\u001b[2J\u2028\u202e' } as const
  const text = written({ level: 'info', format: 'text' }, [rain])
  expect(text).toEqual(['info: rain from east\uFFFDerror: water\uFFFD[2J\uFFFD\uFFFD'])
  const json = written({ level: 'info', format: 'json' }, [rain])
  expect(json.join('')).not.toMatch(/[\n\u001b]/)
  expect(JSON.parse(json[0]!)).toMatchObject({ type: 'rain', from: rain.from })
})

test('whatever a program tells has words, a level that there is, and a text for the docs', () => {
  for (const row of [...Object.values(CLOUD_LOG), ...Object.values(CONNECTOR_LOG)]) {
    const levels = typeof row.level === 'string' ? [row.level] : Object.values(row.level)
    for (const level of levels) expect(LOG_LEVELS).toContain(level)
    expect(row.what).toMatch(/^[A-Z`].*\.$/)
  }
})

const asJson = (events: readonly ConnectorNotice[], level: LogLevel = 'info') => {
  const lines: string[] = []
  const tell = connectorLog({ 'log-level': level }, (line) => lines.push(line))
  for (const event of events) tell(event)
  return lines
}

test('a connector tells identities and configurations by name, errors by their words, and no key', () => {
  const identity = { connectorId: 'c-1', tenantId: 't', privateKey: 'KEY', certificate: 'PEM' }
  const configuration = { version: 'v7', applications: [{ id: 'wiki', secret: 'KEY' }] }
  const failed = Object.assign(new Error('no route'), { token: 'KEY' })
  const lines = asJson([
    { type: 'renewed', identity },
    { type: 'reverted', refused: identity },
    { type: 'configured', configuration },
    { type: 'pull-failed', error: failed },
    { type: 'sign-on-file', state: 'refused', error: failed },
    { type: 'exchange-failed', request: '1', id: 'x', outcome: { kind: 'failed' }, cause: failed },
    { type: 'exchange-failed', request: '2', id: 'y', outcome: { kind: 'cancelled', code: 1 } },
  ] as unknown as ConnectorNotice[])
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { level: 'info', type: 'renewed', identity: 'c-1' },
    { level: 'warning', type: 'reverted', refused: 'c-1' },
    { level: 'info', type: 'configured', configuration: 'v7' },
    { level: 'warning', type: 'pull-failed', error: 'no route' },
    { level: 'error', type: 'sign-on-file', error: 'no route' },
    { level: 'warning', type: 'exchange-failed', message: 'request 1 failed: no route' },
    { level: 'info', type: 'exchange-failed', message: 'request 2 cancelled' },
  ])
  expect(lines.join('\n')).not.toMatch(/KEY|PEM|^\s+at /m)
})

test('a try that a mistake explains is told to whoever looks closely alone', () => {
  const error = new Error('refused')
  const tries: ConnectorNotice[] = [
    { type: 'pull-failed', error },
    { type: 'pull-failed', error, isExplained: true },
  ]
  expect(asJson(tries)).toHaveLength(1)
  const levels = asJson(tries, 'debug').map((line) => (JSON.parse(line) as { level: string }).level)
  expect(levels).toEqual(['warning', 'debug'])
})

test('of a part that failed a cloud tells the name of the error', () => {
  const lines: string[] = []
  const log = openCloudLog({ log: { level: 'info', format: 'json' } }, 'eu-1', (line) =>
    lines.push(line),
  )
  const notice: CloudNotice = { type: 'part-failed', part: 'audit.write', error: 'TypeError' }
  log.tell(notice)
  expect(JSON.parse(lines[0]!)).toMatchObject({
    ...{ ...notice, level: 'error', instance: 'eu-1' },
    message: 'audit.write failed: TypeError',
  })
})
