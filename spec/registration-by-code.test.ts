/**
 * A connector is registered from a terminal: by a code that somebody confirms at the demo's issuer, by a token, by a ticket; and what is said where it is not.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  applicationsOf,
  AUDIENCE,
  writeCloudConfiguration,
  writeStsConfiguration,
} from '../examples/demo/configurations.ts'
import { readOptions } from '../examples/demo/options.ts'
import { openState } from '../examples/demo/state.ts'
import { CLI, Example } from '../test/integration/processes.ts'
import { until } from '../test/until.ts'
import { confirmCode } from '../test/cli/confirm-code.ts'

const root = mkdtempSync(join(tmpdir(), 'app-proxy-register-'))
let sts: Example<{ issuer: string }>
let cloud: Example<{ connectorUrl: string; caFile: string }>
/** Nobody listens there. */
let closedUrl: string
let passwords: Readonly<Record<string, string>>

beforeAll(async () => {
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  closedUrl = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`
  closed.close()
  const argv = ['--state-dir', join(root, 'demo')]
  const options = (await readOptions({ argv, say: () => undefined }))!
  const state = await openState(options)
  passwords = state.passwords
  const applications = applicationsOf(options, state)
  const issuer = await writeStsConfiguration(state, applications)
  const configuration = await writeCloudConfiguration(state, applications)
  sts = await Example.start('sts', ['--config', issuer])
  cloud = await Example.start('cloud run', ['--config', configuration])
}, 120_000)

afterAll(async () => {
  await cloud?.stop()
  await sts?.stop()
  rmSync(root, { recursive: true, force: true })
})

/** A terminal in which a command runs. `script` is its pseudo-terminal: what it prints is one stream. */
function inTerminal(args: readonly string[]) {
  const command = [process.execPath, '--import', 'tsx', CLI, ...args]
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
  const child = spawn('script', ['--quiet', '--return', '--command', quoted, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
  const exit = once(child, 'exit').then(([code]) => code as number)
  return {
    exit,
    text: () => text.replaceAll('\r', ''),
    type: (keys: string) => void child.stdin.write(keys),
  }
}

const arguments_ = (name: string) => [
  ...['connector', 'register', '--url', cloud.ready.connectorUrl, '--ca', cloud.ready.caFile],
  ...['--state-dir', join(root, name)],
]
const byCode = (name: string) => [
  ...arguments_(name),
  ...['--issuer', sts.ready.issuer, '--audience', AUDIENCE],
]

/** What a person reads in the terminal. */
async function asked(terminal: ReturnType<typeof inTerminal>): Promise<[string, string]> {
  const words = /open\n {2}(\S+)\nand enter the code\n {2}(\S+)\n/
  await until(() => words.test(terminal.text()), 60_000)
  const [, uri, code] = words.exec(terminal.text())!
  return [uri!, code!]
}

test(
  'R8.7b a connector is registered by a code that a registrar confirms at the issuer, in a browser of theirs',
  { timeout: 120_000 },
  async () => {
    const terminal = inTerminal(byCode('by-code'))
    const [uri, code] = await asked(terminal)
    const alice = { username: 'alice', password: passwords['alice']!, answer: 'continue' } as const
    expect(await confirmCode(uri, code, alice)).toBe('Done')
    expect(await terminal.exit).toBe(0)
    expect(terminal.text()).toMatch(
      /\nregistered as [0-9a-f]{32} of contoso, in group default\nnow: app-proxy connector run /,
    )
    const identity = readFileSync(join(root, 'by-code', 'identity.json'), 'utf8')
    expect(JSON.parse(identity)).toMatchObject({ current: { tenantId: 'contoso' } })
    // Once is enough, and nobody is asked again.
    const again = inTerminal(byCode('by-code'))
    expect(await again.exit).toBe(0)
    expect(again.text()).toMatch(/^registered before, as [0-9a-f]{32} of contoso\n$/)
  },
)

test('whoever may not register is refused by the cloud', { timeout: 120_000 }, async () => {
  const terminal = inTerminal(byCode('by-bob'))
  const [uri, code] = await asked(terminal)
  await confirmCode(uri, code, { username: 'bob', password: passwords['bob']!, answer: 'continue' })
  expect(await terminal.exit).toBe(4)
  expect(terminal.text()).toContain('does not give the registrar’s role')
})

test('a code that is not confirmed', { timeout: 120_000 }, async () => {
  const terminal = inTerminal(byCode('cancelled'))
  const [uri, code] = await asked(terminal)
  await confirmCode(uri, code, { username: 'alice', password: '', answer: 'cancel' })
  expect(await terminal.exit).toBe(4)
  expect(terminal.text()).toContain(
    'the issuer said no: whoever was asked did not confirm the code (access_denied)',
  )
})

test('Ctrl-C while somebody is waited for', { timeout: 120_000 }, async () => {
  const terminal = inTerminal(byCode('interrupted'))
  await asked(terminal)
  terminal.type('\x03')
  expect(await terminal.exit).toBe(130)
  expect(terminal.text()).toMatch(/\n(?:\^C)?app-proxy connector register: interrupted\n$/)
})

test.each<[what: string, args: () => string[], code: number, line: RegExp]>([
  [
    'neither person nor proof',
    () => arguments_('none'),
    2,
    /--issuer: is missing: somebody confirms/,
  ],
  [
    'an issuer that nobody runs',
    () => [...arguments_('none'), '--issuer', closedUrl],
    5,
    /--issuer: cannot be reached \(ECONNREFUSED\)/,
  ],
  [
    'an issuer that is none',
    () => [...arguments_('none'), '--issuer', `${sts.ready.issuer}/x`],
    2,
    /--issuer: is no issuer: its metadata cannot be used \(status 404\)/,
  ],
  [
    'an issuer in the clear',
    () => [...arguments_('none'), '--issuer', 'http://id.example'],
    2,
    /--issuer: must be an https URL/,
  ],
  [
    'a client that the issuer does not know',
    () => [...byCode('none'), '--client-id', 'nobody'],
    4,
    /the issuer said no: it does not know --client-id/,
  ],
  [
    'a service that the issuer does not know',
    () => [...byCode('none').slice(0, -1), 'urn:x'],
    4,
    /the issuer said no: it has no service that is called --audience/,
  ],
])('%s', { timeout: 60_000 }, async (_, args, code, line) => {
  const terminal = inTerminal(args())
  expect(await terminal.exit).toBe(code)
  expect(terminal.text()).toMatch(line)
  expect(terminal.text()).not.toMatch(/^ +at /m)
})

test('a cloud that nobody runs is not waited for', { timeout: 60_000 }, async () => {
  const ticket = join(root, 'ticket')
  writeFileSync(ticket, 'A'.repeat(43), { mode: 0o600 })
  const args = ['connector', 'register', '--url', 'https://127.0.0.1:1', '--ticket-file', ticket]
  const terminal = inTerminal([...args, '--state-dir', join(root, 'unreachable')])
  expect(await terminal.exit).toBe(5)
  expect(terminal.text()).toContain('Nothing accepts connections at 127.0.0.1:1.')
})
