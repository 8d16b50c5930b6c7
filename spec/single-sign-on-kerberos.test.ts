/**
 * Kerberos as users live it: the edge, a connector that knows the realm, its KDC, and applications that ask for Negotiate, once on Node and once on
 * Apache; over both bindings.
 */
import { once } from 'node:events'
import type { Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { readDirectory } from '../src/cloud/index.ts'
import { openForeignLibrary } from '../src/connector/kerberos/foreign-library.ts'
import { Gssapi } from '../src/connector/kerberos/gssapi.ts'
import { kerberosSignOn } from '../src/connector/kerberos/index.ts'
import { SignOnFailed } from '../src/protocol/index.ts'
import { describeWithPackages } from '../test/debian-packages.ts'
import { listen, startTunnel, type Tunnel } from '../test/integration/tunnel.ts'
import { foreignTokens } from '../test/kerberos/foreign-tokens.ts'
import {
  APACHE_PACKAGES,
  KerberosWorld,
  REALM,
  REALM_PACKAGES,
} from '../test/kerberos/kerberos-world.ts'
import { negotiateApplication, type Seen } from '../test/kerberos/negotiate-application.ts'

const DOMAIN = 'corp.example'

describeWithPackages(
  'Kerberos, end to end',
  [...REALM_PACKAGES, ...APACHE_PACKAGES],
  () => {
    let world: KerberosWorld
    let application: Server
    let origins: Readonly<Record<string, string>>

    beforeAll(async () => {
      world = await KerberosWorld.start()
      process.env['KRB5_CONFIG'] = world.configuration
      application = await negotiateApplication(world.serviceKeytab, `file2:${world.file('rcache')}`)
      origins = {
        node: `http://127.0.0.1:${await listen(application)}`,
        apache: `http://127.0.0.1:${await world.startApache()}`,
      }
    }, 120_000)
    afterAll(async () => {
      application?.close()
      await world?.stop()
      delete process.env['KRB5_CONFIG']
    })

    describe.each(['link over TLS', 'plain over TLS'] as const)('%s', (transport) => {
      let tunnel: Tunnel
      const asked: (string | undefined)[] = []

      beforeAll(async () => {
        application.on('request', ({ headers }) => asked.push(headers['authorization']))
        const there = Object.values(origins)
        const services = ['HTTP/backend.test', 'HTTP/other.test'].map((servicePrincipal) => ({
          ...{ servicePrincipal, origins: there },
        }))
        const signOn = await kerberosSignOn({ keytab: world.keytab, realm: REALM, services })
        tunnel = await startTunnel({
          ...{ transport, backend: (_, response) => response.end() },
          connector: { signOn: [signOn] },
        })
        publish()
      }, 60_000)
      afterAll(() => tunnel?.close())

      /** Each application, on a host that has its name. */
      function publish(): void {
        const { tenants, groups } = tunnel.configuration as Record<string, object[]>
        const kerberos = (id: string, origin: string, settings: object = {}) => ({
          ...{
            id,
            internalUrl: `${origin}/`,
            groupId: 'default',
            externalUrl: `http://${id}.localhost/`,
          },
          ...{ preAuthentication: 'oidc', client: { id: 'client' }, bearer: {} },
          signOn: {
            ...{ kind: 'kerberos', servicePrincipal: 'HTTP/backend.test' },
            user: { from: 'user-part', claim: 'upn', domains: [DOMAIN], letterCase: 'lower' },
            ...settings,
          },
        })
        const applications = [
          kerberos('node', origins['node']!),
          kerberos('apache', origins['apache']!),
          kerberos('mutual', origins['node']!, { mutual: true }),
          kerberos('other', origins['node']!, { servicePrincipal: 'HTTP/other.test' }),
          kerberos('unlisted', origins['node']!, { servicePrincipal: 'HTTP/elsewhere.test' }),
          kerberos('moved', `http://localhost:${new URL(origins['node']!).port}`),
        ]
        const issuer = { url: tunnel.issuer.url, claims: { upn: 'upn' } }
        const named = tenants!.map((tenant) => ({ ...tenant, issuer }))
        tunnel.directory.replace(readDirectory({ tenants: named, groups, applications }))
      }

      const authorization = async (name: string, domain = DOMAIN) =>
        `Bearer ${await tunnel.issuer.sign({ sub: name, aud: 'client', upn: `${name}@${domain}` })}`

      async function ask(host: string, name: string, path = '/', init: RequestInit = {}) {
        const { request } = await import('node:http')
        const headers = { ...(init.headers as object), authorization: await authorization(name) }
        const call = request({
          ...{ host: '127.0.0.1', port: tunnel.port, path, method: init.method ?? 'GET' },
          headers: { ...headers, host: `${host}.localhost`, accept: 'application/json' },
        })
        call.end(init.body as string | undefined)
        const [answer] = (await once(call, 'response')) as [import('node:http').IncomingMessage]
        let body = ''
        for await (const chunk of answer.setEncoding('utf8')) body += String(chunk)
        return { status: answer.statusCode!, headers: answer.headers, body }
      }
      const seen = async (...args: Parameters<typeof ask>) =>
        JSON.parse((await ask(...args)).body) as Seen
      /** What the user is told, and what the operator is. */
      async function refused(host: string, name: string, init?: RequestInit) {
        const before = tunnel.events.length
        const answer = await ask(host, name, '/', init)
        const causes = tunnel.events
          .slice(before)
          .map((event) => (event.type === 'exchange-failed' ? event.cause : undefined))
        const [failed] = causes.filter((cause) => cause instanceof SignOnFailed)
        const { code } = JSON.parse(answer.body) as { code?: string }
        expect(JSON.stringify(answer)).not.toMatch(/negotiate|backend\.test|APPROXY/i)
        return [answer.status, code, failed?.reason]
      }

      test('R6.3a alice and bob at once, alternating: a hundred of a hundred are right', async () => {
        const names = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 'alice' : 'bob'))
        const found = await Promise.all(
          names.map(async (name, i) => {
            if (i % 4 < 2) return (await seen('node', name)).user
            return (await ask('apache', name)).headers['x-remote-user']
          }),
        )
        expect(found).toEqual(names.map((name) => `${name}@${REALM}`))
      })

      test('R6.3d no token of the application’s reaches a user, nor the user’s the application', async () => {
        asked.length = 0
        for (const host of ['node', 'apache', 'mutual']) {
          const answer = await ask(host, 'alice')
          expect(answer.status).toBe(200)
          expect(answer.headers['www-authenticate']).toBeUndefined()
        }
        expect(asked.every((field) => field?.startsWith('Negotiate ') === true)).toBe(true)
      })

      test('R6.3a a POST with its body', async () => {
        const body = 'x'.repeat(200_000)
        const answer = await seen('node', 'bob', '/form', { method: 'POST', body })
        expect(answer).toEqual({ user: `bob@${REALM}`, method: 'POST', url: '/form', body })
        const posted = await ask('apache', 'bob', '/', { method: 'POST', body })
        expect([posted.status, posted.headers['x-remote-user']]).toEqual([200, `bob@${REALM}`])
      })

      // An HTTP call cannot switch protocols in its middle.
      const carriesTunnels = transport === 'link over TLS'
      if (carriesTunnels)
        test('R6.3a a WebSocket handshake', async () => {
          const headers = { host: 'node.localhost', authorization: await authorization('alice') }
          const socket = new WebSocket(`ws://127.0.0.1:${tunnel.port}/`, { headers })
          const [message] = (await once(socket, 'message')) as [Buffer]
          expect(String(message)).toBe(`alice@${REALM}`)
          socket.terminate()
        })

      test.each([
        ['other', 'alice', 'not-delegated'],
        ['unlisted', 'alice', 'not-allowed-here'],
        ['moved', 'alice', 'not-allowed-here'],
        ['node', 'nobody', 'user-unknown'],
        ['node', 'administrator', 'user-refused'],
        ['node', 'Administrator', 'user-refused'],
        ['node', 'krbtgt', 'user-refused'],
      ])('R6.3c %s, %s: %s', async (host, name, reason) => {
        asked.length = 0
        expect(await refused(host, name)).toEqual([502, 'sign-on-failed', reason])
        expect(await refused(host, name, { method: 'POST', body: 'x' })).toEqual([
          ...[502, 'sign-on-failed', reason],
        ])
        expect(asked).toEqual([])
      })

      test('R6.3d an application that asks for credentials all the same', async () => {
        const answer = await ask('node', 'alice', '/refused')
        expect(answer.status).toBe(502)
        expect(answer.headers['www-authenticate']).toBeUndefined()
        expect(answer.body).toContain('sign-on-failed')
        expect((await ask('mutual', 'alice', '/silent')).status).toBe(502)
      })

      test('R6.3e a KDC that is stopped in between', async () => {
        await ask('node', 'alice')
        await world.stopKdc()
        try {
          expect((await seen('node', 'alice')).user).toBe(`alice@${REALM}`)
          expect(await refused('node', 'dave.o-hara')).toEqual([
            ...[502, 'sign-on-failed', 'unavailable'],
          ])
        } finally {
          await world.startKdc()
        }
        expect((await seen('node', 'dave.o-hara')).user).toBe(`dave.o-hara@${REALM}`)
      })
    })

    test('R6.3b a ticket in another name is used for nobody, the connector’s own above all', async () => {
      const foreign = new Gssapi(await openForeignLibrary())
      const user = `alice@${REALM}`
      const request = { user, service: `HTTP/backend.test@${REALM}`, isMutual: false }
      const signal = new AbortController().signal
      for (const found of [`connector/host1@${REALM}`, `bob@${REALM}`, 'alice@OTHER.TEST', '']) {
        const wrong: Partial<Gssapi>[] = [
          {
            credentialFacts: async () => ({
              principal: found,
              lifetimeSeconds: 60,
              hasSpnego: true,
            }),
          },
          {
            contextFacts: () => ({
              initiator: found,
              target: request.service,
              lifetimeSeconds: 60,
            }),
          },
          { contextFacts: () => ({ initiator: user, target: found, lifetimeSeconds: 60 }) },
          {
            credentialFacts: async () => ({
              principal: user,
              lifetimeSeconds: 60,
              hasSpnego: false,
            }),
          },
        ]
        for (const part of wrong) {
          const gssapi = new Proxy(foreign, {
            get: (_, name: keyof Gssapi) => part[name] ?? foreign[name].bind(foreign),
          })
          const tokens = await foreignTokens({ keytab: world.keytab, gssapi })
          const asking = tokens.token({ ...request, signal })
          await expect(asking).rejects.toMatchObject({ reason: 'misconfigured' })
          await tokens.close()
        }
      }
    })
  },
  300_000,
)
