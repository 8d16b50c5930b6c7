/**
 * The Model Context Protocol as a program lives it: the stock client, a published server of the
 * stock kind, and a real issuer at which programs register themselves.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  UnauthorizedError,
  type OAuthClientProvider,
} from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type {
  OAuthClientInformationMixed,
  OAuthTokens,
} from '@modelcontextprotocol/sdk/shared/auth.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { build } from 'esbuild'
import { Agent, fetch as fetchBy } from 'undici'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { registrarToken, signInWithForms } from '../examples/registrar-token.ts'
import { headerValue, headerValues } from '../src/protocol/internal.ts'
import { launchBrowser, missingBrowser } from '../test/examples/chromium.ts'
import { Example } from '../test/integration/processes.ts'
import { listen, startTunnel, type Tunnel } from '../test/integration/tunnel.ts'

const ALICE = { id: 'alice', username: 'alice', password: 'wonderland' }
const BOB = { id: 'bob', username: 'bob', password: 'builder' }
const REDIRECT = 'http://127.0.0.1/callback'
const ELSEWHERE = 'https://elsewhere.example/mcp'

const folder = mkdtempSync(join(tmpdir(), 'app-proxy-mcp-'))
/** Where pages of another site come from. */
const pages = createServer((_, response) => response.end('<!doctype html>'))
let pagesOrigin: string
let tunnel: Tunnel
let server: Example<{ url: string }>
let sts: Example<{ issuer: string }>
let address: string
beforeAll(async () => {
  tunnel = await startTunnel({ backend: (_, response) => response.end() })
  address = `https://localhost:${tunnel.tlsPort}/mcp`
  pagesOrigin = `http://127.0.0.1:${await listen(pages)}`
  const file = join(folder, 'sts.json')
  const configuration = {
    ...{ tenantId: 'contoso', audience: 'urn:registration', users: [ALICE, BOB] },
    clients: [
      {
        ...{ client_id: 'registrar', redirect_uris: [REDIRECT], response_types: ['code'] },
        ...{ token_endpoint_auth_method: 'none', application_type: 'native' },
      },
    ],
    apis: { [address]: 'use change', [ELSEWHERE]: 'use' },
    registration: true,
  }
  writeFileSync(file, JSON.stringify(configuration), { mode: 0o600 })
  sts = await Example.start('sts', ['--config', file])
  server = await Example.start('model-context-protocol', [])
  publish(['use'])
})
afterAll(async () => {
  await server?.stop()
  await sts?.stop()
  await tunnel?.close()
  pages.close()
  rmSync(folder, { recursive: true, force: true })
})

function publish(scopes: readonly string[]): void {
  tunnel.directory.replace({
    tenants: [
      { id: 'contoso', issuer: sts.ready.issuer, registrars: { audience: 'urn:registration' } },
    ],
    groups: [{ id: 'default', tenantId: 'contoso' }],
    applications: [
      {
        ...{ id: 'tools', groupId: 'default', preAuthentication: 'oidc', client: { id: 'tools' } },
        ...{ externalUrl: new URL('/', address).href },
        internalUrl: new URL('/', server.ready.url).href,
        identityHeaders: { 'X-User': 'subject' },
        bearer: { resource: address, scopes },
        cors: {
          origins: [pagesOrigin],
          methods: ['GET', 'POST', 'DELETE'],
          headers: ['Authorization', 'Content-Type', 'Last-Event-ID', 'Mcp-*'],
          exposeHeaders: ['Mcp-Session-Id'],
        },
      },
    ],
  })
}

/** A program of a user's: it keeps what it is given, and leads its user to the issuer. */
class Program implements OAuthClientProvider {
  readonly redirectUrl = REDIRECT
  readonly clientMetadata = {
    ...{ client_name: 'A program', redirect_uris: [REDIRECT], response_types: ['code'] },
    ...{ grant_types: ['authorization_code'], token_endpoint_auth_method: 'none' },
  }
  /** Where its user is to go. */
  asked: URL | undefined
  readonly client = new Client({ name: 'a-program', version: '1.0.0' })
  transport!: StreamableHTTPClientTransport
  readonly #user: typeof ALICE
  readonly #allowH2: boolean
  #agent: Agent
  #information: OAuthClientInformationMixed | undefined
  #tokens: OAuthTokens | undefined
  #verifier = ''

  constructor(user = ALICE, allowH2 = false) {
    this.#user = user
    this.#allowH2 = allowH2
    this.#agent = this.#newAgent()
    programs.push(this)
  }

  clientInformation = () => this.#information
  saveClientInformation = (given: OAuthClientInformationMixed) => void (this.#information = given)
  tokens = () => this.#tokens
  saveTokens = (given: OAuthTokens) => void (this.#tokens = given)
  saveCodeVerifier = (verifier: string) => void (this.#verifier = verifier)
  codeVerifier = () => this.#verifier
  redirectToAuthorization = (url: URL) => void (this.asked = url)

  /** From nothing but the address to an open session. */
  async begin(): Promise<void> {
    await expect(this.connect()).rejects.toThrow(UnauthorizedError)
    await this.signIn()
    await this.connect()
  }

  async connect(sessionId?: string): Promise<void> {
    this.transport = this.newTransport(sessionId)
    // Its optional members are written without `undefined`.
    await this.client.connect(this.transport as Transport)
  }

  newTransport(sessionId?: string): StreamableHTTPClientTransport {
    const call = (url: string | URL, init?: object) =>
      fetchBy(url, { ...init, dispatcher: this.#agent })
    return new StreamableHTTPClientTransport(new URL(address), {
      authProvider: this,
      fetch: call as unknown as typeof fetch,
      ...(sessionId !== undefined && { sessionId }),
    })
  }

  async signIn(): Promise<void> {
    const back = await signInWithForms(this.asked!.href, REDIRECT, this.#user)
    await this.transport.finishAuth(back.searchParams.get('code')!)
  }

  async call(name: string): Promise<unknown> {
    const { content } = await this.client.callTool({ name })
    return (content as { text: string }[])[0]!.text
  }

  /** The user's connections break; what is asked next goes over new ones. */
  async cut(): Promise<void> {
    const agent = this.#agent
    this.#agent = this.#newAgent()
    await agent.destroy()
  }

  async end(): Promise<void> {
    await this.client.close()
    await this.#agent.destroy()
  }

  #newAgent(): Agent {
    return new Agent({ allowH2: this.#allowH2, connect: { ca: tunnel.ca } })
  }
}

const programs: Program[] = []
afterEach(async () => {
  for (const program of programs.splice(0)) await program.end()
  publish(['use'])
})

describe.each([
  ['HTTP/1.1', false, '1.1 app-proxy'],
  ['HTTP/2', true, '2 app-proxy'],
])('over %s', (_, allowH2, via) => {
  test('R7.5a a client that knows the address alone registers, signs its user in, and calls', async () => {
    const program = new Program(ALICE, allowH2)
    const before = tunnel.offers.length
    await program.begin()
    // What a token is asked for, and with which scopes, is what the application says.
    const { searchParams } = program.asked!
    expect([searchParams.get('resource'), searchParams.get('scope')]).toEqual([address, 'use'])
    expect(searchParams.get('code_challenge_method')).toBe('S256')
    expect(await program.client.listTools()).toMatchObject({
      tools: [{ name: 'who' }, { name: 'count' }],
    })
    expect(await program.call('who')).toBe('alice')
    const offers = tunnel.offers.slice(before)
    expect(offers.length).toBeGreaterThan(3)
    for (const { headers } of offers) {
      expect(headerValues(headers, 'via')).toEqual([via])
      expect(headerValues(headers, 'authorization')).toEqual([])
    }
  })

  test.each([
    ['user', (program: Program) => program.cut()],
    ['connector', () => tunnel.cut()],
  ])(
    'R7.5c an event stream that breaks off at the %s’s end is resumed, and nothing of it is lost',
    async (_end, cut) => {
      const program = new Program(ALICE, allowH2)
      await program.begin()
      const heard: unknown[] = []
      program.client.setNotificationHandler(
        LoggingMessageNotificationSchema,
        async ({ params }) => {
          heard.push(params.data)
          if (heard.length === 3) await cut(program)
        },
      )
      expect(await program.call('count')).toBe('ten')
      expect(heard).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
      const resumed = tunnel.offers.filter(
        ({ headers }) => headerValue(headers, 'last-event-id') !== undefined,
      )
      expect(resumed.at(-1)).toMatchObject({ method: 'GET', target: '/mcp' })
    },
  )

  test('R7.5c a session keeps its id, is its user’s alone, and ends when its client says so', async () => {
    const program = new Program(ALICE, allowH2)
    await program.begin()
    const { sessionId } = program.transport
    await program.call('who')
    expect(headerValues(tunnel.offers.at(-1)!.headers, 'mcp-session-id')).toEqual([sessionId])
    const other = new Program(BOB, allowH2)
    await other.begin()
    expect(await other.call('who')).toBe('bob')
    const stolen = other.newTransport(sessionId)
    await stolen.start()
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' } as const
    await expect(stolen.send(ping)).rejects.toMatchObject({ code: 404 })
    await program.transport.terminateSession()
    expect(tunnel.offers.at(-1)).toMatchObject({ method: 'DELETE', target: '/mcp' })
    const ended = program.newTransport(sessionId)
    await ended.start()
    await expect(ended.send(ping)).rejects.toMatchObject({ code: 404 })
  })
})

test('R7.5b a token for something else is refused, and what to ask for is said', async () => {
  const options = { issuer: sts.ready.issuer, clientId: 'registrar', redirectUri: REDIRECT }
  const agent = new Agent({ connect: { ca: tunnel.ca } })
  const ask = async (audience: string) => {
    const token = await registrarToken({ ...options, ...ALICE, audience, scope: 'openid use' })
    const response = await fetchBy(address, {
      ...{ dispatcher: agent, method: 'POST', body: '{}' },
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    })
    const { code } = (await response.json()) as { code?: string }
    return [response.status, code, response.headers.get('www-authenticate')]
  }
  const metadata = new URL('/.well-known/oauth-protected-resource/mcp', address).href
  expect(await ask(ELSEWHERE)).toEqual([
    ...[401, 'token-audience'],
    `Bearer realm="${new URL(address).host}", error="invalid_token", error_description="token-audience: It is not for this application.", scope="use", resource_metadata="${metadata}"`,
  ])
  // It is let in; what it says is no message of the protocol.
  expect((await ask(address))[0]).not.toBe(401)
  await agent.destroy()
})

test('R7.5d a client without enough scopes is told which it needs, and goes on with them', async () => {
  const program = new Program()
  // One that registers itself may have no more scopes than it has registered with.
  program.saveClientInformation({ client_id: 'registrar' })
  await program.begin()
  expect(await program.call('who')).toBe('alice')
  publish(['use', 'change'])
  await expect(program.call('who')).rejects.toThrow(UnauthorizedError)
  expect(program.asked!.searchParams.get('scope')).toBe('use change')
  await program.signIn()
  expect(await program.call('who')).toBe('alice')
})

describe.skipIf(missingBrowser !== undefined)('in a browser', () => {
  test('R7.5e a client in a page of another site has a session, where the application lets it', async () => {
    const options = { issuer: sts.ready.issuer, clientId: 'registrar', redirectUri: REDIRECT }
    const wanted = { audience: address, scope: 'openid use' }
    const token = await registrarToken({ ...options, ...ALICE, ...wanted })
    const { outputFiles } = await build({
      stdin: { contents: PAGE_CLIENT, resolveDir: import.meta.dirname },
      ...{ bundle: true, write: false, format: 'iife', platform: 'browser' },
    })
    const browser = await launchBrowser()
    try {
      const context = await browser.newContext({ ignoreHTTPSErrors: true })
      const page = await context.newPage()
      await page.goto(pagesOrigin)
      await page.addScriptTag({ content: outputFiles[0]!.text })
      const told = await page.evaluate(
        ([url, shown]) =>
          (globalThis as unknown as { visit: (...of: string[]) => Promise<unknown> }).visit(
            url,
            shown,
          ),
        [address, token] as const,
      )
      expect(told).toEqual({
        resource: address,
        who: 'alice',
        hasSession: true,
        heard: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        isEnded: true,
      })
    } finally {
      await browser.close()
    }
  })
})

/** What the page runs. */
const PAGE_CLIENT = `
import { discoverOAuthProtectedResourceMetadata } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
globalThis.visit = async (address, token) => {
  // The client tries again without its own field where a page may not send that.
  let asked = 0
  const { resource } = await discoverOAuthProtectedResourceMetadata(address, {}, (...of) => {
    asked += 1
    return fetch(...of)
  })
  if (asked !== 1) throw new Error('the metadata was asked for ' + asked + ' times')
  const headers = { Authorization: 'Bearer ' + token }
  const transport = new StreamableHTTPClientTransport(new URL(address), { requestInit: { headers } })
  const client = new Client({ name: 'a-page', version: '1.0.0' })
  const heard = []
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
    heard.push(params.data)
  })
  await client.connect(transport)
  const { content } = await client.callTool({ name: 'who' })
  await client.callTool({ name: 'count' })
  const hasSession = typeof transport.sessionId === 'string'
  await transport.terminateSession()
  return { resource, who: content[0].text, hasSession, heard, isEnded: transport.sessionId === undefined }
}
`
