/** What attempts to sign in leave in a browser: how much at the most, and that what is set can be removed. */
import fc from 'fast-check'
import { readdirSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { MAX_SENT_TARGET } from '../../../src/cloud/pages/return-target.ts'
import type { Application } from '../../../src/cloud/directory/directory-port.ts'
import {
  isOwnCookie,
  OwnCookie,
  type CookieAttributes,
} from '../../../src/cloud/directory/cookies.ts'
import { KeyRing } from '../../../src/cloud/session/key-ring.ts'
import { MAX_SESSION_CHARACTERS } from '../../../src/cloud/session/sealed-session.ts'
import { Sessions } from '../../../src/cloud/session/session.ts'
import {
  MAX_ATTEMPTS_KEPT,
  MAX_ATTEMPT_OCTETS,
  REMOVE_ATTEMPTS,
} from '../../../src/cloud/directory/attempt-slots.ts'
import { Attempts } from '../../../src/cloud/sign-in/attempts.ts'
import { keepTokenHint, readTokenHint } from '../../../src/cloud/sign-out/token-hint.ts'

const HOST = 'apps.example'
const NOW = 1_800_000_000_000

/** What a browser keeps of `Set-Cookie` values; attributes are part of what is kept. */
class Jar {
  readonly #kept = new Map<string, string>()

  take(setCookies: readonly string[]): void {
    for (const cookie of setCookies) {
      const [pair = '', ...attributes] = cookie.split('; ')
      const [name = '', value = ''] = pair.split('=')
      const key = attributes.includes('Partitioned') ? `${name} partitioned` : name
      if (attributes.includes('Max-Age=0')) this.#kept.delete(key)
      else this.#kept.set(key, `${name}=${value}`)
    }
  }

  get field(): string {
    return [...this.#kept.values()].join('; ')
  }

  get size(): number {
    return this.#kept.size
  }
}

const application = (id: string, more: Partial<Application> = {}): Application => ({
  ...{ id, tenantId: 'contoso', name: id, version: '1', groupId: 'default' },
  ...{ externalUrl: `https://${HOST}/${id}/`, internalUrl: 'http://127.0.0.1:1/' },
  preAuthentication: 'oidc',
  client: { id },
  identityHeaders: {},
  ...({ hostHeader: 'internal', verifyCertificate: true, responseHeadMs: 85_000 } as const),
  ...more,
})
const embedding = { ancestors: ['https://portal.example'], partitioned: true }
const KINDS: readonly Application[] = [
  application('query'),
  application('form', { responseMode: 'form_post' }),
  application('framed', { session: { sameSite: 'none' }, embedding }),
  application('an-application-with-a-name-of-its-own-that-is-long'),
]

let attempts: Attempts
let keyRing: KeyRing
beforeAll(async () => {
  // The longest id that a key may have.
  const key = { id: 'k'.repeat(32), secret: new Uint8Array(32), createdAt: NOW }
  const store = { load: () => Promise.resolve([key]), save: () => Promise.resolve(true) }
  keyRing = await KeyRing.open({ store })
  attempts = new Attempts({ keyRing, crypto })
})

const beginning = (returnTo: string, isPosted = false) => ({
  ...{ returnTo, issuer: 'https://login.example/a-tenant-id/v2.0', issuerNamesItself: true },
  ...(isPosted && { isPosted }),
})
const begin = (
  one: Application,
  { cookies, returnTo = '/', at = NOW }: { cookies: string; returnTo?: string; at?: number },
) => attempts.begin(one, HOST, beginning(returnTo, one.responseMode !== undefined), [cookies], at)

describe('what a browser carries for all attempts on a host', () => {
  test.each([
    ['40 frames that open at the same time', 40, false],
    ['20 tabs that are restored at the same time', 20, false],
    ['40 tabs one after the other', 40, true],
  ])('is bounded: %s, of four applications', async (_, count, inTurn) => {
    const jar = new Jar()
    const deep = `/deep?${'x'.repeat(1_900)}`
    for (let i = 0; i < count; i++) {
      const cookies = inTurn ? jar.field : ''
      // One that asks for partitioned cookies has a jar of its own in a browser.
      const { setCookies } = await begin(KINDS[i % 2 === 0 ? 0 : i % 4]!, {
        ...{ cookies, returnTo: deep, at: NOW + i * 1000 },
      })
      expect(setCookies).toHaveLength(1)
      jar.take(setCookies)
    }
    expect(jar.size).toBeLessThanOrEqual(MAX_ATTEMPTS_KEPT)
    expect(jar.field.length).toBeLessThan(2_500)
    expect(MAX_ATTEMPTS_KEPT * MAX_ATTEMPT_OCTETS).toBe(2_500)
    // With the largest session it is a sixth of what the listener reads.
    expect(jar.field.length + 2 + MAX_SESSION_CHARACTERS).toBeLessThan(6 * 1024)
  })

  test('takes the same whatever the address, the issuer and the name of the application', () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...KINDS),
        fc.string({ unit: 'grapheme-ascii', maxLength: MAX_SENT_TARGET }),
        async (one, returnTo) => {
          const { setCookies } = await begin(one, { cookies: '', returnTo: `/${returnTo}` })
          const [pair = ''] = setCookies[0]!.split(';', 1)
          expect(pair.length).toBeLessThanOrEqual(MAX_ATTEMPT_OCTETS)
        },
      ),
      { numRuns: 100 },
    ))

  test('eight tabs: five sign in, and the oldest know where they wanted to go', async () => {
    const jar = new Jar()
    const states: string[] = []
    for (let i = 0; i < 8; i++) {
      const at = NOW + i * 1000
      const begun = await begin(KINDS[0]!, { cookies: jar.field, returnTo: `/tab/${i}`, at })
      jar.take(begun.setCookies)
      states.push(begun.attempt.state)
    }
    for (const [i, state] of states.entries()) {
      const taken = await attempts.take(KINDS[0]!, HOST, state, [jar.field], NOW + 9_000)
      expect(taken.fault).toBe(i < 3 ? 'attempt-missing' : undefined)
      expect(taken.attempt?.returnTo).toBe(i < 3 ? undefined : `/tab/${i}`)
      expect(taken.wanted?.returnTo).toBe(`/tab/${i}`)
    }
  })

  test('two applications of a host do not take each other’s attempts', async () => {
    const jar = new Jar()
    const one = await begin(KINDS[0]!, { cookies: '' })
    jar.take(one.setCookies)
    const two = await begin(KINDS[1]!, { cookies: jar.field })
    jar.take(two.setCookies)
    expect(jar.size).toBe(2)
    const crossed = await attempts.take(KINDS[1]!, HOST, one.attempt.state, [jar.field], NOW)
    expect([crossed.fault, crossed.wanted]).toEqual(['attempt-missing', undefined])
    for (const [of, { attempt }] of [[KINDS[0]!, one] as const, [KINDS[1]!, two] as const])
      expect(await attempts.take(of, HOST, attempt.state, [jar.field], NOW)).toMatchObject({
        fault: undefined,
      })
  })
})

describe('what a browser carries for one application', () => {
  /** A token of that many characters that names the user. */
  const tokenOf = (characters: number) => {
    const head = `${btoa('{"alg":"none"}')}.${btoa('{"sub":"alice"}').replaceAll('=', '')}.`
    return head + 'x'.repeat(characters - head.length)
  }
  const hintOf = (one: Application, characters: number) =>
    keepTokenHint(keyRing, one, HOST, tokenOf(characters))
  /** The longest session that there is, of a user whose claims leave much out. */
  const sessionOf = async (one: Application, at: number) => {
    const sessions = new Sessions({ keyRing, wallClock: () => at })
    const groups = Array.from({ length: 400 }, (_, i) => `group-${i}-${'g'.repeat(i % 5)}`)
    const claims = { subject: 's'.repeat(255), issuer: 'https://login.example/', groups }
    const identity = { ...claims, name: 'n'.repeat(200), expiresAt: at + 3_600_000 }
    return (await sessions.start(one, HOST, identity as never)).setCookie
  }
  const octetsOf = (setCookie: string) => setCookie.split(';', 1)[0]!.length
  const LONGEST = application('i'.repeat(128))

  test.each([
    ['of a usual name', KINDS[0]!, 9 * 1024, 3_000],
    ['in frames of other sites', KINDS[2]!, 9 * 1024, 3_000],
    ['of the longest name', LONGEST, 9 * 1024, 3_200],
  ])('%s is below 9 KiB, the token for the sign-out included', async (_, one, most, ofHint) => {
    const jar = new Jar()
    for (let i = 0; i < MAX_ATTEMPTS_KEPT + 2; i++) {
      const at = NOW + i * 1000
      jar.take((await begin(KINDS[0]!, { cookies: jar.field, returnTo: '/', at })).setCookies)
    }
    expect(jar.size).toBe(MAX_ATTEMPTS_KEPT)
    const session = await sessionOf(one, NOW)
    const hint = await hintOf(one, 2_048)
    expect(octetsOf(session)).toBeGreaterThan(2_800)
    expect(octetsOf(session)).toBeLessThanOrEqual(MAX_SESSION_CHARACTERS)
    expect(octetsOf(hint)).toBeGreaterThan(2_800)
    expect(octetsOf(hint)).toBeLessThanOrEqual(ofHint)
    // Browsers keep no longer one.
    expect(octetsOf(hint)).toBeLessThan(4_096)
    jar.take([session, hint])
    expect(jar.size).toBe(MAX_ATTEMPTS_KEPT + 2)
    expect(jar.field.length).toBeLessThan(most)
    // However full the five are, and the session.
    const worst =
      MAX_ATTEMPTS_KEPT * (MAX_ATTEMPT_OCTETS + 2) + MAX_SESSION_CHARACTERS + 2 + octetsOf(hint)
    expect(worst).toBeLessThan(most)
    expect(MAX_SESSION_CHARACTERS + octetsOf(hint) + 4).toBeLessThan(6.25 * 1024)

    const pair = hint.split(';', 1)[0]!
    expect(await readTokenHint(keyRing, one, HOST, [pair], 'alice')).toBe(tokenOf(2_048))
    expect(await readTokenHint(keyRing, one, HOST, [pair], 'bob')).toBeUndefined()
  })

  test('a longer token is not kept, and one before it goes', async () => {
    const jar = new Jar()
    jar.take([await hintOf(KINDS[2]!, 2_048)])
    expect(jar.size).toBe(1)
    jar.take([await hintOf(KINDS[2]!, 2_049)])
    expect(jar.size).toBe(0)
  })

  test('the token’s cookie is partitioned where the session’s is, and goes to the sign-out alone', async () => {
    for (const one of KINDS) {
      const attributes = ['Path=/.app-proxy/sign-out', 'Secure', 'HttpOnly']
      const isPartitioned = one.embedding?.partitioned === true
      const [, ...told] = (await hintOf(one, 500)).split('; ')
      expect(told).toEqual([
        ...attributes,
        ...(isPartitioned ? ['SameSite=None', 'Partitioned'] : ['SameSite=Lax']),
      ])
      expect((await sessionOf(one, NOW)).endsWith('Partitioned')).toBe(isPartitioned)
    }
  })
})

describe('T17 a state without its cookie', () => {
  test('opens nothing, and another’s is none', async () => {
    const one = await begin(KINDS[0]!, { cookies: '' })
    const two = await begin(KINDS[0]!, { cookies: '', returnTo: '/other' })
    const cookie = one.setCookies[0]!.split(';', 1)[0]!
    const alone = await attempts.take(KINDS[0]!, HOST, one.attempt.state, [], NOW)
    expect(alone).toMatchObject({ attempt: undefined, fault: 'attempt-missing' })
    // The id of one and what is sealed in the other.
    const [id] = one.attempt.state.split('.', 1)
    const mixed = [id, ...two.attempt.state.split('.').slice(1)].join('.')
    const taken = await attempts.take(KINDS[0]!, HOST, mixed, [cookie], NOW)
    expect(taken).toMatchObject({ attempt: undefined, fault: 'state-mismatch', wanted: undefined })
    const elsewhere = await attempts.take(KINDS[0]!, 'other.example', one.attempt.state, [], NOW)
    expect(elsewhere.wanted).toBeUndefined()
  })
})

describe('a cookie of ours', () => {
  const attributes: fc.Arbitrary<CookieAttributes> = fc.record({
    secure: fc.boolean(),
    sameSite: fc.constantFrom('Lax', 'None'),
    partitioned: fc.option(fc.boolean(), { nil: undefined }),
    maxAgeSeconds: fc.option(fc.integer({ min: 1, max: 600 }), { nil: undefined }),
  })
  const told = (cookie: string) =>
    cookie
      .split('; ')
      .slice(1)
      .filter((one) => !/^Max-Age=/.test(one))

  test('is removed with the attributes that it is set with', () =>
    fc.assert(
      fc.property(attributes, (some) => {
        const cookie = new OwnCookie('app-proxy-x', some)
        expect(told(cookie.remove())).toEqual(told(cookie.set('value')))
        expect(cookie.remove()).toMatch(/^app-proxy-x=; .*Max-Age=0/)
      }),
    ))

  test('of an attempt as well, for every kind of application', async () => {
    for (const one of KINDS) {
      const { attempt, setCookies } = await begin(one, { cookies: '' })
      const pair = setCookies[0]!.split(';', 1)[0]!
      const taken = await attempts.take(one, HOST, attempt.state, [pair], NOW)
      expect(taken.setCookies).toHaveLength(1)
      expect(told(taken.setCookies[0]!)).toEqual(told(setCookies[0]!))
      // Also unseen, by whoever cannot read the request.
      expect(REMOVE_ATTEMPTS).toContain(taken.setCookies[0])
    }
  })

  test('is named as ours, and all of one host are removed unseen', () => {
    const names = REMOVE_ATTEMPTS.map((cookie) => cookie.split('=', 1)[0]!)
    expect(new Set(names).size).toBe(2 * MAX_ATTEMPTS_KEPT)
    for (const name of names) expect(isOwnCookie(name)).toBe(true)
    for (const cookie of REMOVE_ATTEMPTS) expect(cookie).toMatch(/=; Path=\/; Max-Age=0;/)
  })

  test('is told to browsers in one place, and nothing else of a site is ever cleared', () => {
    const src = new URL('../../../src/', import.meta.url)
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.ts'),
    )
    const codeOf = (path: string) =>
      readFileSync(new URL(path, src), 'utf8').replaceAll(/\/\*[^]*?\*\//g, '')
    const saying = (what: RegExp) => files.filter((path) => what.test(codeOf(path)))
    // Ours in one place; an application's where they are translated.
    expect(saying(/SameSite=/).sort()).toEqual([
      'cloud/directory/cookies.ts',
      'cloud/translate/set-cookie.ts',
    ])
    expect(saying(/"(?:cookies|storage|\*)"/)).toEqual([])
  })
})
