/** The sign-on itself, with a real KDC, against an application on Node and against Apache. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Server } from 'node:http'
import { chmod, writeFile } from 'node:fs/promises'
import { WebSocket } from 'ws'
import { once } from 'node:events'
import type { BackendRequest } from '../../src/connector/backend.ts'
import { kerberosSignOn, type KerberosSignOnOptions } from '../../src/connector/kerberos/index.ts'
import type { SignOn, Preparation } from '../../src/connector/sign-on/sign-on.ts'
import { describeWithPackages } from '../debian-packages.ts'
import { listen } from '../integration/listen.ts'
import { KerberosWorld, REALM, REALM_PACKAGES } from './kerberos-world.ts'
import { negotiateApplication, type Seen } from './negotiate-application.ts'

const PACKAGES = [...REALM_PACKAGES, 'apache2', 'libapache2-mod-auth-gssapi']
const BACKEND = 'HTTP/backend.test'

describeWithPackages(
  'sign-on by Kerberos',
  PACKAGES,
  () => {
    let world: KerberosWorld
    let application: Server
    let origin: string
    let apache: string
    let signOn: SignOn
    const opened: SignOn[] = []

    beforeAll(async () => {
      world = await KerberosWorld.start()
      // Before the library is asked for the first time: it reads it once.
      process.env['KRB5_CONFIG'] = world.configuration
      application = await negotiateApplication(world.serviceKeytab, `file2:${world.file('rcache')}`)
      origin = `http://127.0.0.1:${await listen(application)}`
      apache = `http://127.0.0.1:${await world.startApache()}`
      signOn = await open()
    }, 120_000)

    afterAll(async () => {
      await Promise.all(opened.map((one) => one.close?.()))
      application?.close()
      await world?.stop()
      delete process.env['KRB5_CONFIG']
    })

    async function open(options: Partial<KerberosSignOnOptions> = {}): Promise<SignOn> {
      const origins = [origin, apache]
      const services = [
        { servicePrincipal: BACKEND, origins },
        { servicePrincipal: 'HTTP/other.test', origins },
        { servicePrincipal: 'HTTP/*.nowhere.test', origins },
      ]
      const one = await kerberosSignOn({ keytab: world.keytab, realm: REALM, services, ...options })
      opened.push(one)
      return one
    }

    /** What the connector is asked for, of somebody whose `account` the issuer told. */
    function request(account: unknown, settings: object = {}, at = origin): BackendRequest {
      const application = {
        ...{ id: 'wiki', internalUrl: `${at}/`, externalUrl: 'https://wiki.example/' },
        ...{ hostHeader: 'internal', verifyCertificate: true, preAuthentication: 'oidc' },
        signOn: {
          ...{ kind: 'kerberos', servicePrincipal: BACKEND },
          ...{ user: { from: 'claim', claim: 'account' }, ...settings },
        },
      }
      const user = { claims: account === undefined ? {} : { account } }
      return { application, user, answerMs: 60_000 } as unknown as BackendRequest
    }

    const never = () => new AbortController().signal
    const prepare = async (account: unknown, settings?: object, by = signOn) =>
      await by.prepare(request(account, settings), never())
    const refusal = (account: unknown, settings?: object, by?: SignOn) =>
      prepare(account, settings, by).then(
        () => 'signed on',
        (error: { reason?: string }) => error.reason ?? error,
      )
    const fields = ({ headers }: Preparation) => ({ [headers![0]!]: headers![1]! })
    const ask = (to: string, preparation: Preparation, init: RequestInit = {}) =>
      fetch(to, { ...init, headers: fields(preparation) })
    const seenBy = async (preparation: Preparation, path = '/', init: RequestInit = {}) =>
      (await (await ask(origin + path, preparation, init)).json()) as Seen

    test.each(['alice', 'bob', 'dave.o-hara'])(
      '%s is who they are, on Node and on Apache',
      async (name) => {
        expect((await seenBy(await prepare(name))).user).toBe(`${name}@${REALM}`)
        const answer = await ask(apache, await prepare(name))
        expect(answer.status).toBe(200)
        expect(answer.headers.get('x-remote-user')).toBe(`${name}@${REALM}`)
      },
    )

    test('alice and bob at once, alternating: a hundred of a hundred are right', async () => {
      const users = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 'alice' : 'bob'))
      const seen = await Promise.all(
        users.map(async (name, i) => {
          const preparation = await prepare(name)
          if (i % 4 < 2) return (await seenBy(preparation)).user
          return (await ask(apache, preparation)).headers.get('x-remote-user')
        }),
      )
      expect(seen).toEqual(users.map((name) => `${name}@${REALM}`))
    })

    test('a token is made for each request, and a second use is refused', async () => {
      const [first, second] = [await prepare('alice'), await prepare('alice')]
      expect(first.headers).not.toEqual(second.headers)
      expect(first.isOnce).toBe(true)
      expect((await ask(origin, first)).status).toBe(200)
      expect((await ask(origin, first)).status).toBe(401)
      expect((await ask(origin, second)).status).toBe(200)
    })

    test('Authorization is ours alone', async () =>
      expect((await prepare('alice')).reserved).toEqual(['authorization']))

    test('a POST carries its body', async () => {
      const body = 'x'.repeat(100_000)
      const seen = await seenBy(await prepare('bob'), '/form', { method: 'POST', body })
      expect(seen).toEqual({ user: `bob@${REALM}`, method: 'POST', url: '/form', body })
      const posted = await ask(apache, await prepare('bob'), { method: 'POST', body })
      expect(posted.headers.get('x-remote-user')).toBe(`bob@${REALM}`)
    })

    test('a WebSocket handshake carries it', async () => {
      const headers = fields(await prepare('alice'))
      const socket = new WebSocket(origin.replace('http', 'ws'), { headers })
      const [message] = (await once(socket, 'message')) as [Buffer]
      expect(String(message)).toBe(`alice@${REALM}`)
      socket.terminate()
    })

    describe('is refused', () => {
      test('to a service that is not delegated', async () =>
        expect(await refusal('alice', { servicePrincipal: 'HTTP/other.test' })).toBe(
          'not-delegated',
        ))

      test('to a service that nobody knows', async () =>
        expect(await refusal('alice', { servicePrincipal: 'HTTP/a.nowhere.test' })).toBe(
          'service-unknown',
        ))

      test.each([
        ['nobody', 'user-unknown'],
        ['', 'user-unknown'],
        [undefined, 'user-unknown'],
        ['administrator', 'user-refused'],
        ['Administrator', 'user-refused'],
        ['ADMINISTRATOR', 'user-refused'],
        ['krbtgt', 'user-refused'],
        ['host1$', 'user-refused'],
        ['connector/host1', 'user-refused'],
        ['alice@APPROXY.TEST', 'user-refused'],
        ['alice@OTHER.TEST', 'user-refused'],
        ['alice\0', 'user-refused'],
        ['alice bob', 'user-refused'],
        ['alice\\@x', 'user-refused'],
        [['alice'], 'user-refused'],
        [true, 'user-refused'],
      ])('%j: %s', async (account, reason) => expect(await refusal(account)).toBe(reason))

      test.each([
        'HTTP/elsewhere.test',
        'http/backend.test',
        'HTTP/backend.test@OTHER.TEST',
        'HTTP/BACKEND.TEST',
        'HTTP/backend.test.',
        'HTTP/backend.test/x',
        'HTTP/nowhere.test',
        'HTTP/xnowhere.test',
        'host/a.nowhere.test',
        'HTTP/*.nowhere.test',
        'krbtgt/APPROXY.TEST',
      ])('%s', async (servicePrincipal) =>
        expect(await refusal('alice', { servicePrincipal })).toMatch(
          /^not-allowed-here$|^misconfigured$/,
        ),
      )

      test('where the cloud has moved the application', async () => {
        for (const at of [
          'http://127.0.0.1:1',
          'https://backend.test',
          origin.replace('127.0.0.1', 'localhost'),
        ])
          await expect(signOn.prepare(request('alice', {}, at), never())).rejects.toMatchObject({
            reason: 'not-allowed-here',
          })
      })

      test.each([
        [{ mutual: 'yes' }, 'mutual'],
        [{ realm: 'OTHER.TEST' }, 'realm'],
        [{ user: { from: 'claim', claim: 'account', also: 1 } }, 'user.also'],
        [{ user: { from: 'name' } }, 'user.from'],
      ])('settings that it does not understand: %j', async (settings, where) => {
        const error = await prepare('alice', settings).catch((error: Error) => error)
        expect(error).toMatchObject({ reason: 'misconfigured' })
        expect((error as Error).message).toContain(`"${where}"`)
      })
    })

    describe('mutual', () => {
      const mutual = { mutual: true }
      const headOf = async (path: string, to = origin) => {
        const preparation = await prepare('alice', mutual)
        const answer = await ask(to + path, preparation)
        return { preparation, head: { status: answer.status, headers: [...answer.headers].flat() } }
      }

      test.each(['Node', 'Apache'])(
        '%s shows who it is, and its token goes no farther',
        async (which) => {
          const { preparation, head } = await headOf('/', which === 'Node' ? origin : apache)
          const seen = preparation.answered!(head)
          expect(seen.status).toBe(200)
          expect(JSON.stringify(head.headers)).toMatch(/Negotiate/)
          expect(JSON.stringify(seen.headers)).not.toMatch(/negotiate|authenticate/i)
        },
      )

      test.each(['/silent', '/foreign'])('%s is not the service that was meant', async (path) => {
        const { preparation, head } = await headOf(path)
        expect(() => preparation.answered!(head)).toThrow(/^rejected/)
      })

      test('nor is one that shows two tokens, or an answer to another request', async () => {
        const [one, other] = [await headOf('/'), await headOf('/')]
        expect(() => one.preparation.answered!(other.head)).toThrow(/^rejected/)
        const { preparation, head } = await headOf('/')
        const twice = { ...head, headers: [...head.headers, ...head.headers] }
        expect(() => preparation.answered!(twice)).toThrow(/^rejected/)
      })
    })

    test('an application that asks for credentials all the same: rejected', async () => {
      const preparation = await prepare('alice')
      const answer = await ask(`${origin}/refused`, preparation)
      const head = { status: answer.status, headers: [...answer.headers].flat() }
      expect(head.status).toBe(401)
      expect(() => preparation.answered!(head)).toThrow(/^rejected/)
    })

    describe('the connector’s account', () => {
      const withKeytab = async (keytab: string) => {
        await chmod(keytab, 0o600)
        return await open({ keytab })
      }

      test('whose ticket has expired gets another, by its keytab', async () => {
        const keytab = await world.addConnector(
          'connector/brief',
          'brief.keytab',
          '+ok_to_auth_as_delegate -maxlife "4 seconds"',
        )
        const brief = await withKeytab(keytab)
        for (let i = 0; i < 2; i++) {
          expect((await seenBy(await prepare('alice', {}, brief))).user).toBe(`alice@${REALM}`)
          await new Promise((later) => setTimeout(later, 2_600))
        }
        await world.administer('modprinc -expire "1 day ago" connector/brief')
        await new Promise((later) => setTimeout(later, 4_000))
        expect(await refusal('alice', {}, brief)).toBe('credentials-expired')
      })

      test('that may not act for users', async () => {
        const plain = await withKeytab(
          await world.addConnector('connector/plain', 'plain.keytab', ''),
        )
        expect(await refusal('alice', {}, plain)).toBe('not-delegated')
      })

      test('whose key was changed, or that is gone', async () => {
        const moved = await withKeytab(await world.addConnector('connector/moved', 'moved.keytab'))
        await world.administer('cpw -randkey connector/moved')
        expect(await refusal('alice', {}, moved)).toBe('misconfigured')
        await world.administer('delprinc -force connector/moved')
        expect(await refusal('alice', {}, moved)).toBe('misconfigured')
      })

      test('that the keytab does not have', async () =>
        expect(await refusal('alice', {}, await open({ account: 'nobody' }))).toBe('misconfigured'))
    })

    test('users whom the realm has locked out, or who may not be acted for', async () => {
      await world.administer(
        'addprinc -pw x1 carol',
        'modprinc -allow_tix carol',
        'addprinc -pw x2 erin',
        'modprinc -allow_forwardable erin',
        'addprinc -pw x3 frank',
        'modprinc -expire "1 day ago" frank',
      )
      expect(await refusal('carol')).toBe('user-refused')
      expect(await refusal('erin')).toBe('not-delegated')
      expect(await refusal('frank')).toBe('user-refused')
    })

    test('a KDC that is stopped in between: whoever has tickets goes on, the others are told', async () => {
      const one = await open()
      await prepare('alice', {}, one)
      await world.stopKdc()
      try {
        expect((await seenBy(await prepare('alice', {}, one))).user).toBe(`alice@${REALM}`)
        expect(await refusal('bob', {}, one)).toBe('unavailable')
        expect(await refusal('alice', {}, await open())).toBe('unavailable')
      } finally {
        await world.startKdc()
      }
      expect((await seenBy(await prepare('bob', {}, one))).user).toBe(`bob@${REALM}`)
    })

    test('a KDC that says nothing: a deadline, then at once, and whoever has tickets goes on', async () => {
      const one = await open({ limitMs: 300, questions: 2 })
      await prepare('alice', {}, one)
      world.freezeKdc()
      try {
        const first = await Promise.all(
          ['bob', 'dave.o-hara'].map((name) => refusal(name, {}, one)),
        )
        expect(first).toEqual(['timeout', 'timeout'])
        expect(await refusal('bob', {}, one)).toBe('unavailable')
        expect((await seenBy(await prepare('alice', {}, one))).user).toBe(`alice@${REALM}`)
      } finally {
        world.thawKdc()
      }
      // The library answers what it was asked before; only then there is room.
      await expect.poll(() => refusal('bob', {}, one), { timeout: 60_000 }).toBe('signed on')
    })

    test('nobody waits for it any more', async () => {
      const one = await open()
      const waiting = new AbortController()
      const preparing = Promise.resolve(one.prepare(request('alice'), waiting.signal))
      waiting.abort()
      await expect(preparing).rejects.toMatchObject({ reason: 'timeout' })
      expect((await seenBy(await prepare('alice', {}, one))).user).toBe(`alice@${REALM}`)
    })

    test('more pairs than there is room for', async () => {
      const one = await open({ tickets: 1 })
      const names = Array.from({ length: 60 }, (_, i) => ['alice', 'bob', 'dave.o-hara'][i % 3]!)
      const seen = await Promise.all(
        names.map(async (name) => (await seenBy(await prepare(name, {}, one))).user),
      )
      expect(seen).toEqual(names.map((name) => `${name}@${REALM}`))
    })

    test('once it is closed nobody is signed on', async () => {
      const one = await open()
      await prepare('alice', {}, one)
      await one.close?.()
      expect(await refusal('alice', {}, one)).toBe('unavailable')
    })

    describe('at the start', () => {
      test('a library that is not there', async () =>
        expect(open({ library: 'libnot-there.so.9' })).rejects.toThrow(
          /apt-get install libgssapi-krb5-2/,
        ))

      test('a keytab that is not there, is none, or that others can read', async () => {
        await expect(open({ keytab: world.file('none') })).rejects.toThrow(/there is no keytab/)
        const text = world.file('text')
        await writeFile(text, 'a text', { mode: 0o600 })
        await expect(open({ keytab: text })).rejects.toThrow(/is no keytab/)
        await expect(open({ keytab: world.serviceKeytab })).rejects.toThrow(/chmod 600/)
      })

      test.each([
        'backend.test',
        'HTTP/',
        'HTTP/*',
        'HTTP/*.',
        '*/backend.test',
        'HTTP/backend.test@R',
      ])('%s is no service', (service) =>
        expect(open({ services: [service] })).rejects.toThrow(/servicePrincipal/),
      )
    })
  },
  300_000,
)
