/**
 * What `app-proxy connector run` says where it cannot work: one line a mistake, and never a stack trace.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { ResetCode } from '../../src/protocol/internal.ts'
import type { Backend } from '../../src/connector/index.ts'
import { startTunnel, until } from '../integration/tunnel.ts'
import { RawUser } from '../integration/raw-user.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Runs it, and gives what it said on stderr. */
function run(args: readonly string[]) {
  const command = ['src/cli/main.ts', 'connector', 'run', ...args]
  const child = spawn(process.execPath, ['--import', 'tsx', ...command], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  closing.push(() => child.kill('SIGKILL'))
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  return { child, exit: once(child, 'exit'), said: () => said }
}

test('a wrong port is one line, however often it is tried; a signal ends it; other mistakes end it themselves', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'app-proxy-'))
  closing.push(() => rm(directory, { recursive: true, force: true }))
  const token = join(directory, 'token')
  await writeFile(token, 'a.b.c', { mode: 0o600 })
  const to = (url: string) => ['--url', url, '--state-dir', join(directory, 'state')]
  const retrying = run([...to('https://127.0.0.1:1'), '--token-file', token])
  const others = [
    run([]),
    run([...to('http://127.0.0.1:1'), '--token-file', token]),
    run([...to('https://127.0.0.1:1'), '--ca', join(directory, 'none.pem')]),
  ]
  await until(() => retrying.said().includes('\n'), 60_000)
  // Some tries more: the first come half a second apart.
  await new Promise((later) => setTimeout(later, 2_500))
  retrying.child.kill('SIGTERM')
  expect((await retrying.exit)[0]).toBe(0)
  const lines = retrying.said().trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { type: 'mistake', kind: 'cloud-port', owner: 'connector', setting: 'url' },
  ])
  const exits = await Promise.all(others.map(({ exit }) => exit))
  expect(exits.map(([code]) => code as number)).toEqual([2, 2, 2])
  for (const one of [retrying, ...others]) expect(one.said()).not.toMatch(/^\s+at /m)
  expect(others.map(({ said }) => said())).toEqual([
    'app-proxy connector run: --url: is missing\napp-proxy connector run: --state-dir: is missing\n',
    'app-proxy connector run: --url: must be an https URL (is "http://127.0.0.1:1")\n',
    expect.stringMatching(
      /^app-proxy connector run: --ca: there is no such file \(is ".*none.pem"\)\n$/,
    ),
  ])
})

test('the user of an application whose certificate is refused is told so, and the connector’s operator once', async () => {
  let isMended = false
  const backend: Backend = {
    call(_, events) {
      setImmediate(() => {
        if (isMended) {
          events.responded({ status: 204, headers: [] })
          return events.ended(undefined)
        }
        const error = Object.assign(new Error('self-signed'), {
          code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
        })
        events.failed(ResetCode.APPLICATION_CERTIFICATE, error)
      })
      const nothing = (): void => undefined
      return { write: () => true, end: nothing, pause: nothing, resume: nothing, abort: nothing }
    },
    close: async () => undefined,
  }
  const tunnel = await startTunnel({
    backend: (_, response) => response.end(),
    connector: { backend },
    auditRequests: true,
  })
  closing.push(() => tunnel.close())
  const shown: string[] = []
  const ask = async () => {
    const user = new RawUser(tunnel.port).ask('GET', '/')
    await until(() => user.status !== undefined && (user.status === 204 || user.code !== undefined))
    user.socket.destroy()
    const [, number] = /"requestId":\s*"([^"]+)"/.exec(user.received) ?? []
    if (number !== undefined) shown.push(number)
    return `${user.status} ${user.code}`
  }
  for (let i = 0; i < 3; i++) expect(await ask()).toBe('502 application-certificate')
  // The number on the user's page is the one in the connector's log, and in the audit.
  const logged = tunnel.events.flatMap((event) =>
    event.type === 'exchange-failed' ? [event.request] : [],
  )
  expect(logged).toEqual(shown)
  expect(shown[0]).toMatch(/^(?:\w{4}-){3}\w{4}$/)
  const audited = JSON.stringify(tunnel.audit.events)
  for (const number of shown) expect(audited).toContain(number)
  isMended = true
  expect(await ask()).toBe('204 undefined')
  const told = tunnel.events.flatMap((event) =>
    event.type === 'mistake' || event.type === 'mended' ? [`${event.type} ${event.kind}`] : [],
  )
  expect(told).toEqual(['mistake application-certificate', 'mended application-certificate'])
  expect(audited).toContain('application-certificate')
})
