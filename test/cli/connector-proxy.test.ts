/**
 * `app-proxy connector register` behind a proxy, as a process of its own: the cloud is reached through it, and so is an issuer that is elsewhere; past it, where the environment says so.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createServerAuthority } from '../../src/cloud/index.ts'
import { memoryAuthorityStore } from '../cloud/authority/memory-authority-store.ts'
import { startConnectProxy, type ConnectProxy } from '../connect-proxy.ts'
import { listen } from '../integration/listen.ts'
import { registrarToken } from '../integration/registrar-token.ts'
import { startTunnel, type Tunnel } from '../integration/tunnel.ts'

const root = mkdtempSync(join(tmpdir(), 'app-proxy-behind-'))
let tunnel: Tunnel
let proxy: ConnectProxy
/** By https: it confirms each code at once, and gives a token of the tenant's own issuer. */
let issuer: string
const closing: (() => unknown)[] = []

beforeAll(async () => {
  tunnel = await startTunnel({ backend: (_, response) => response.end(), noConnector: true })
  writeFileSync(join(root, 'ca.pem'), tunnel.ca)
  proxy = await startConnectProxy({ credentials: 'operator:a secret' })
  const authority = await createServerAuthority({ store: memoryAuthorityStore() })
  const { key, certificate, ca } = await authority.issue()
  writeFileSync(join(root, 'issuer-ca.pem'), ca)
  const server = createServer({ key, cert: certificate }, (request, response) => {
    request.resume()
    const answers: Readonly<Record<string, () => unknown>> = {
      '/.well-known/openid-configuration': () => ({
        issuer,
        device_authorization_endpoint: `${issuer}/device`,
        token_endpoint: `${issuer}/token`,
      }),
      '/device': () => ({
        device_code: 'device',
        user_code: 'ABCD-EFGH',
        verification_uri: `${issuer}/confirm`,
        expires_in: 60,
        interval: 1,
      }),
      '/token': async () => ({
        access_token: await registrarToken(tunnel.issuer),
        token_type: 'Bearer',
      }),
    }
    void Promise.resolve(answers[request.url!]?.()).then((answer) => {
      response.setHeader('content-type', 'application/json')
      response.writeHead(answer === undefined ? 404 : 200).end(JSON.stringify(answer ?? {}))
    })
  })
  issuer = `https://localhost:${await listen(server)}`
  closing.push(
    () => server.close(),
    () => server.closeAllConnections(),
  )
})
afterAll(async () => {
  for (const close of closing) await close()
  await proxy.close()
  await tunnel.close()
  rmSync(root, { recursive: true, force: true })
})

async function register(name: string, environment: Readonly<Record<string, string>>) {
  const child = spawn(
    process.execPath,
    [
      ...['--import', 'tsx', 'src/cli/main.ts', 'connector', 'register', '--json'],
      ...['--url', tunnel.connectorUrl, '--ca', join(root, 'ca.pem')],
      ...['--state-dir', join(root, name), '--issuer', issuer],
    ],
    {
      env: {
        PATH: process.env['PATH'],
        NODE_EXTRA_CA_CERTS: join(root, 'issuer-ca.pem'),
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const [said, told, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number]>,
  ])
  return { code, said, told }
}

test(
  'what it does wrong is one line with its remedy, and no password is told',
  { timeout: 60_000 },
  async () => {
    const HTTPS_PROXY = `http://operator:wrong@${proxy.at}`
    const asked = await register('wrong', { HTTPS_PROXY })
    expect(asked.code).toBe(5)
    expect(asked.told).toMatch(
      /--issuer: the proxy 127\.0\.0\.1:\d+ says 407 for localhost:\d+: correct HTTPS_PROXY/,
    )
    expect(asked.told).not.toContain('wrong@')
    // The issuer is reached past it, and the cloud is not.
    const past = await register('past', { HTTPS_PROXY, NO_PROXY: 'localhost' })
    expect(past.code).toBe(5)
    expect(past.told).toMatch(/does not take the user and password in .*HTTPS_PROXY/)
  },
)
