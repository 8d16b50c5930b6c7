import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cli } from '../src/cli/cli.ts'
import { COMMANDS } from '../src/cli/commands.ts'
import { helpOn } from '../src/cli/help.ts'
import { EXIT } from '../src/cli/program/exit-codes.ts'
import { exitCodeOf } from '../src/cli/program/program.ts'
import { startTunnel, type Tunnel } from '../test/integration/tunnel.ts'

let root: string
let tunnel: Tunnel
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'app-proxy-'))
  tunnel = await startTunnel({ backend: (_, response) => response.end() })
})
afterAll(async () => {
  await tunnel.close()
  rmSync(root, { recursive: true, force: true })
})

async function run(...argv: readonly string[]) {
  const said: string[] = []
  const lines: string[] = []
  const code = await exitCodeOf('app-proxy', cli, {
    argv,
    say: (line) => said.push(line),
    log: (line) => lines.push(line),
    signal: new AbortController().signal,
    onReload: () => undefined,
  })
  return { code, said, lines }
}

test('R8.7a every command says what it takes; a mistake is one line that names the option, with an exit code, for people and in JSON', async () => {
  for (const { words, flags } of COMMANDS) {
    const asked = await run(...words.split(' '), '--help')
    expect(asked).toEqual({ code: EXIT.good, said: [helpOn(words.split(' '))], lines: [] })
    for (const name of Object.keys(flags)) expect(asked.said[0]).toContain(`--${name}`)
    const wrong = await run(...words.split(' '), '--no-such-option')
    expect([wrong.code, wrong.said]).toEqual([EXIT.usage, []])
    const about = wrong.lines.filter((line) => line.includes('--no-such-option'))
    expect(about).toEqual([
      expect.stringMatching(`^app-proxy ${words}: --no-such-option: is not known here`),
    ])
    const inJson = await run(...words.split(' '), '--no-such-option', '--json')
    expect(JSON.parse(inJson.lines.join(''))).toMatchObject({ code: EXIT.usage })
  }
})

test('R8.7c a check from where the connector stands names the first thing that is wrong, and what is to be done', async () => {
  // A server that is not the cloud's: the port is open, and nobody there speaks TLS.
  const other = createServer((socket) => socket.end('hello\n')).listen(0, '127.0.0.1')
  await new Promise((ready) => other.once('listening', ready))
  const url = `https://127.0.0.1:${(other.address() as AddressInfo).port}`
  const wrong = await run('connector', 'check', '--url', url, '--state-dir', join(root, 'none'))
  other.close()
  expect(wrong.code).toBe(EXIT.failed)
  expect(wrong.said.at(-1)).toMatch(
    /^\ntls: 127\.0\.0\.1:\d+ speaks no TLS\. Check the port in "url"/,
  )
  const stateDir = tunnel.stateDirectory
  const ca = join(root, 'ca.pem')
  writeFileSync(ca, tunnel.ca)
  const way = ['--url', tunnel.connectorUrl, '--ca', ca, '--state-dir', stateDir]
  const right = await run('connector', 'check', ...way)
  expect([right.code, right.said.at(-1)]).toEqual([EXIT.good, 'nothing is wrong'])
})
