/** Sign-ins of wildcards come back to the service's own host, with the real example issuer. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signInWithForms } from '../examples/registrar-token.ts'
import type { Application } from '../src/cloud/directory/directory-port.ts'
import { KeyRing } from '../src/cloud/session/key-ring.ts'
import { MemorySpentCodes } from '../src/cloud/session/spent-codes.ts'
import { Attempts } from '../src/cloud/sign-in/attempts.ts'
import { HAND_OVER_MS, HandOvers } from '../src/cloud/sign-in/hand-over.ts'
import { CALLBACK_PATH } from '../src/cloud/sign-in/parties.ts'
import { HANDED_OVER_PATH } from '../src/cloud/pages/return-target.ts'
import { SIGNED_OUT_PATH } from '../src/cloud/sign-out/sign-out.ts'
import { ALICE, SERVICE_HOST, startSts, type StsProcess } from '../test/cloud/sts-process.ts'
import { codeOf, publishedWorld, type Answer, type PublishedWorld } from './published-world.ts'

const client = { id: 'apps', secret: 'apps-secret-for-tests' }
const apps = {
  ...{ id: 'apps', externalUrl: 'https://*.apps.example/', labels: ['hr', 'it'] },
  ...{ internalUrl: 'http://{label}.corp.internal/', preAuthentication: 'oidc', client },
}
const HR = 'hr.apps.example'
const IT = 'it.apps.example'

let sts: StsProcess
let world: PublishedWorld
beforeAll(async () => {
  sts = await startSts()
  world = await publishedWorld({
    issuer: sts.issuer,
    applications: [],
    cloud: { serviceUrl: `https://${SERVICE_HOST}/` },
  })
  const { internalUrl } = world
  const labels = { hr: internalUrl, it: internalUrl }
  world.publish(
    { ...apps, internalUrl: undefined, labels },
    {
      ...{ id: 'posted', externalUrl: 'https://*.posted.example/', responseMode: 'form_post' },
      ...{ internalUrl: undefined, labels, preAuthentication: 'oidc', client },
    },
    {
      ...{ id: 'single', externalUrl: 'https://single.example/', callback: 'serviceHost' },
      ...{ preAuthentication: 'oidc', client },
    },
    {
      ...{ id: 'plain', externalUrl: 'https://plain.example/', preAuthentication: 'oidc' },
      client: { id: 'intranet', secret: 'intranet-secret-for-tests' },
    },
  )
})
afterAll(async () => {
  await world.close()
  await sts.stop()
})

/** A browser's cookies, by host. */
class Jar {
  readonly #cookies = new Map<string, Map<string, string>>()

  async get(
    url: string | URL,
    ask: { headers?: Record<string, string>; method?: string; body?: string } = {},
  ): Promise<Answer> {
    const { host, pathname, search } = new URL(url)
    const cookie = this.of(host)
    const answer = await world.ask('HTTP/1.1', host, pathname + search, {
      ...ask,
      headers: { ...ask.headers, ...(cookie && { cookie }) },
    })
    const jar = this.#cookies.get(host) ?? new Map<string, string>()
    this.#cookies.set(host, jar)
    for (const set of (answer.headers['set-cookie'] as unknown as string[] | undefined) ?? []) {
      expect(set).not.toMatch(/domain=/i)
      const [name, ...value] = set.split(';', 1)[0]!.split('=')
      if (/Max-Age=0/.test(set)) jar.delete(name!)
      else jar.set(name!, value.join('='))
    }
    return answer
  }

  of(host: string): string {
    return [...(this.#cookies.get(host) ?? [])].map((pair) => pair.join('=')).join('; ')
  }
}

/** Begins at a host, and stops where the issuer has sent the browser back. */
async function atService(jar: Jar, host: string, path = '/'): Promise<URL> {
  const begun = await jar.get(`https://${host}${path}`)
  const location = new URL(begun.headers.location!)
  expect(location.searchParams.get('redirect_uri')).toBe(`https://${SERVICE_HOST}${CALLBACK_PATH}`)
  return signInWithForms(location.href, `https://${SERVICE_HOST}${CALLBACK_PATH}`, ALICE)
}

/** Goes on to the address that hands over, which is not visited. */
async function handedOver(jar: Jar, host: string, path = '/'): Promise<URL> {
  const answer = await jar.get(await atService(jar, host, path))
  expect([answer.status, answer.headers['set-cookie']]).toEqual([303, undefined])
  const location = new URL(answer.headers.location!)
  expect(location.origin + location.pathname).toBe(`https://${host}${HANDED_OVER_PATH}`)
  return location
}

const SCRIPT = { 'sec-fetch-mode': 'cors' }
const isSignedIn = async (jar: Jar, host: string) =>
  (await jar.get(`https://${host}/`, { headers: SCRIPT })).status === 200
const reasons = () =>
  world.audit.filter(({ type }) => type === 'sign-in.denied').map(({ reason }) => reason)

describe('R7.8a', () => {
  test('R7.8a whoever signs in comes back to the host and page where they began', async () => {
    const jar = new Jar()
    const location = await handedOver(jar, HR, '/a/b?c=d')
    // Neither the issuer's code nor the token is in it.
    expect([...location.searchParams.keys()]).toEqual(['code', 'state'])
    const done = await jar.get(location)
    expect(done.headers.location).toBe(`https://${HR}/a/b?c=d`)
    expect((await jar.get(`https://${HR}/a/b?c=d`)).body).toBe('GET /a/b?c=d')
    expect(await isSignedIn(jar, IT)).toBe(false)
    expect(jar.of(SERVICE_HOST)).toBe('')
  })

  test('R7.8a an answer that is posted is handed over by an address', async () => {
    const jar = new Jar()
    const begun = await jar.get('https://it.posted.example/x')
    expect(new URL(begun.headers.location!).searchParams.get('response_mode')).toBe('form_post')
    const state = new URL(begun.headers.location!).searchParams.get('state')!
    const posted = await jar.get(`https://${SERVICE_HOST}${CALLBACK_PATH}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: sts.issuer },
      body: new URLSearchParams({ state, error: 'access_denied', iss: sts.issuer }).toString(),
    })
    expect(posted.status).toBe(303)
    expect(new URL(posted.headers.location!).host).toBe('it.posted.example')
    const end = await jar.get(posted.headers.location!)
    expect(codeOf(end)).toBe('access-denied')
  })

  test('R7.8a an application on one host comes back there by option', async () => {
    const jar = new Jar()
    await jar.get(await handedOver(jar, 'single.example'))
    expect(await isSignedIn(jar, 'single.example')).toBe(true)
  })
})

describe('R7.8b', () => {
  /** Nobody is signed in, and the audit says why. */
  async function isRefused(jar: Jar, url: URL, reason: string): Promise<void> {
    const before = reasons().length
    const answer = await jar.get(url)
    expect([answer.status < 500, reasons().slice(before)]).toEqual([true, [reason]])
    expect(jar.of(url.host)).not.toContain('session')
  }
  const edited = (url: URL, change: (url: URL) => void): URL => {
    const other = new URL(url)
    change(other)
    return other
  }

  test('R7.8b another browser, which did not begin it', async () => {
    const location = await handedOver(new Jar(), HR)
    await isRefused(new Jar(), location, 'attempt-missing')
  })

  test('R7.8b another browser, which has begun one of its own', async () => {
    const [theirs, own] = [new Jar(), new Jar()]
    const location = await handedOver(theirs, HR)
    const { searchParams } = await handedOver(own, HR)
    await isRefused(own, location, 'attempt-missing')
    // Their code with a state of one's own.
    const mixed = edited(location, (url) =>
      url.searchParams.set('state', searchParams.get('state')!),
    )
    await isRefused(own, mixed, 'state-mismatch')
  })

  test('R7.8b a code that was used', async () => {
    const jar = new Jar()
    const location = await handedOver(jar, HR)
    const cookie = jar.of(HR)
    expect((await jar.get(location)).status).toBe(302)
    const before = reasons().length
    const again = await world.ask('HTTP/1.1', HR, location.pathname + location.search, {
      headers: { cookie },
    })
    expect([again.status, again.headers['set-cookie']?.includes('session')]).toEqual([400, false])
    expect(reasons().slice(before)).toEqual(['attempt-used'])
  })

  test.each([
    ['another host of the wildcard', IT],
    ['another application', 'it.posted.example'],
  ])('R7.8b a code for %s', async (_, host) => {
    const jar = new Jar()
    const location = await handedOver(jar, HR)
    const { searchParams } = await handedOver(jar, host).catch(() => location)
    // Its cookie is there, for an attempt of its own.
    await isRefused(
      jar,
      edited(location, (url) => (url.host = host)),
      'attempt-missing',
    )
    const own = searchParams.get('state')!
    if (host === IT)
      await isRefused(
        jar,
        edited(location, (url) => {
          url.host = host
          url.searchParams.set('state', own)
        }),
        'callback-malformed',
      )
  })

  test('R7.8b a state of another attempt in the same browser', async () => {
    const jar = new Jar()
    const first = await handedOver(jar, HR, '/first')
    const second = await handedOver(jar, HR, '/second')
    const mixed = edited(first, (url) =>
      url.searchParams.set('state', second.searchParams.get('state')!),
    )
    await isRefused(jar, mixed, 'state-mismatch')
  })

  test('R7.8b the issuer’s own answer, brought to the host that began it', async () => {
    const jar = new Jar()
    const came = await atService(jar, HR)
    const direct = await jar.get(edited(came, (url) => (url.host = HR)))
    expect([direct.status, codeOf(direct)]).toEqual([404, 'not-found'])
    const forged = edited(came, (url) => {
      url.host = HR
      url.pathname = HANDED_OVER_PATH
    })
    forged.searchParams.delete('iss')
    await isRefused(jar, forged, 'callback-malformed')
    const plain = await jar.get(`https://plain.example${HANDED_OVER_PATH}?code=x&state=y`)
    expect(codeOf(plain)).toBe('not-found')
  })

  describe('R7.8b at two instances', () => {
    const application = {
      ...{ id: 'apps/hr', tenantId: 'contoso', externalUrl: `https://${HR}/` },
      ...{ callback: 'serviceHost', identityHeaders: {}, internalUrl: 'http://hr.internal/' },
    } as unknown as Application
    const instances = async () => {
      const keyRing = await KeyRing.open()
      const spent = new MemorySpentCodes()
      const attempts = new Attempts({ keyRing, crypto })
      const make = () => new HandOvers({ keyRing, crypto, attempts, spent })
      const beginning = { returnTo: '/', issuer: 'https://sts.example', issuerNamesItself: true }
      const { attempt } = await attempts.begin(application, HR, beginning, [], Date.now())
      const query = new URLSearchParams({ code: 'secret', state: attempt.state })
      const one = make()
      const now = Date.now()
      const location = new URL(await one.begin(application, query.toString(), now))
      const came = Object.fromEntries(location.searchParams) as { state: string; code: string }
      return { one, other: make(), came, now }
    }

    test('R7.8b of two redemptions at once one counts', async () => {
      const { one, other, came, now } = await instances()
      const ends = await Promise.allSettled(
        [one, other, other].map((each) => each.redeem(application, HR, came, now)),
      )
      expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected'])
      expect(ends.find(({ status }) => status === 'fulfilled')).toMatchObject({
        value: { code: 'secret', state: came.state },
      })
    })

    test('R7.8b it is good for half a minute', async () => {
      const { other, came, now } = await instances()
      const late = other.redeem(application, HR, came, now + HAND_OVER_MS)
      await expect(late).rejects.toMatchObject({ reason: 'attempt-expired' })
      const intime = other.redeem(application, HR, came, now + HAND_OVER_MS - 1)
      await expect(intime).resolves.toMatchObject({ code: 'secret' })
    })

    test('R7.8b nothing of what the issuer said can be read in it', async () => {
      const { came } = await instances()
      const texts = came.code.split('.').map((part) => Buffer.from(part, 'base64url').toString())
      expect(texts.join('')).not.toContain('secret')
    })
  })
})

describe('R7.8c the service’s own host', () => {
  const at = (query: string) => new Jar().get(`https://${SERVICE_HOST}${CALLBACK_PATH}${query}`)

  test('R7.8c leads nowhere by a state that is not ours', async () => {
    const jar = new Jar()
    const begun = await jar.get(`https://${HR}/`)
    const state = new URL(begun.headers.location!).searchParams.get('state')!
    const [id, , sealed] = [state.split('.')[0], '', state.split('.').slice(2).join('.')]
    const of = (name: string) => Buffer.from(name).toString('base64url')
    const queries = [
      ...['', '?', '?code=x', '?state=x&code=x', `?state=${state}&state=${state}&code=x`],
      // For another label, another application, an address, and nobody.
      ...['apps/it', 'plain', 'apps', 'https://evil.example', 'constructor'].map(
        (name) => `?code=x&state=${id}.${of(name)}.${sealed}`,
      ),
      `?code=x&state=${state}x`,
    ]
    for (const query of queries) {
      const answer = await at(query)
      expect([query, answer.status, answer.headers.location]).toEqual([query, 400, undefined])
    }
    // The same for the plain application, whose state is good at its own host alone.
    const plain = await jar.get('https://plain.example/')
    const theirs = new URL(plain.headers.location!).searchParams.get('state')!
    expect((await at(`?code=x&state=${theirs}`)).headers.location).toBeUndefined()
  })

  test('R7.8c has nothing else', async () => {
    for (const path of ['/', '/.app-proxy/sign-out', '/.app-proxy/session', HANDED_OVER_PATH])
      expect((await new Jar().get(`https://${SERVICE_HOST}${path}`)).status).toBe(404)
  })

  test('R7.8c a host that says it is the service is not', async () => {
    const jar = new Jar()
    const came = await atService(jar, HR)
    for (const host of [
      `${SERVICE_HOST}.evil.example`,
      `evil.${SERVICE_HOST}`,
      'other.apps.example',
    ]) {
      const answer = await world.ask('HTTP/1.1', host, came.pathname + came.search)
      expect([host, answer.status]).toEqual([host, 404])
    }
    const forwarded = await world.ask('HTTP/1.1', SERVICE_HOST, came.pathname + came.search, {
      headers: { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' },
    })
    expect(new URL(forwarded.headers.location!).host).toBe(HR)
  })

  test('R7.8c nobody signs in where an application has its host, or where there is none', async () => {
    const { internalUrl } = world
    const labels = { hr: internalUrl }
    const published = { ...apps, internalUrl: undefined, labels }
    const taken = await publishedWorld({
      issuer: sts.issuer,
      applications: [
        published,
        { id: 'x', externalUrl: `https://${SERVICE_HOST}/x/`, preAuthentication: 'passthrough' },
      ],
      cloud: { serviceUrl: `https://${SERVICE_HOST}/` },
    })
    const without = await publishedWorld({ issuer: sts.issuer, applications: [published] })
    for (const [one, evidence] of [
      [taken, 'an application is published on the host of serviceUrl'],
      [without, 'there is no serviceUrl'],
    ] as const) {
      const answer = await one.ask('HTTP/1.1', HR)
      expect([answer.status, codeOf(answer)]).toEqual([500, 'internal'])
      expect(one.audit.find(({ type }) => type === 'sign-in.denied')).toMatchObject({
        detail: { evidence },
      })
      await one.close()
    }
  })
})

describe('R7.8d signing out', () => {
  test('R7.8d comes back from the issuer to the host where it was begun', async () => {
    const jar = new Jar()
    await jar.get(await handedOver(jar, HR))
    const out = await jar.get(`https://${HR}/.app-proxy/sign-out`, {
      method: 'POST',
      headers: { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate' },
    })
    const { searchParams } = new URL(out.headers.location!)
    expect(searchParams.get('post_logout_redirect_uri')).toBe(
      `https://${SERVICE_HOST}${SIGNED_OUT_PATH}`,
    )
    const state = searchParams.get('state')!
    const back = await jar.get(`https://${SERVICE_HOST}${SIGNED_OUT_PATH}?state=${state}`)
    expect(back.headers.location).toBe(`https://${HR}${SIGNED_OUT_PATH}?state=${state}`)
    expect((await jar.get(back.headers.location!)).status).toBe(200)
    for (const bad of ['', 'x', Buffer.from('plain').toString('base64url'), `${state}.%0d%0a`])
      expect((await jar.get(`https://${SERVICE_HOST}${SIGNED_OUT_PATH}?state=${bad}`)).status).toBe(
        404,
      )
  })

  test('R7.8d the issuer’s word at the service’s host ends the sessions of every label', async () => {
    const [hr, it] = ['apps/hr', 'apps/it']
    const about = { issuerSession: 'sid-1' }
    const cookies = [await world.signIn(hr, about), await world.signIn(it, about)]
    const asked = async (host: string, cookie: string) =>
      (await world.ask('HTTP/1.1', host, '/', { headers: { ...SCRIPT, cookie } })).status
    expect([await asked(HR, cookies[0]!), await asked(IT, cookies[1]!)]).toEqual([200, 200])
    const query = new URLSearchParams({ iss: sts.issuer, sid: 'sid-1' }).toString()
    const path = `/.app-proxy/front-channel-logout?${query}`
    const ended = await world.ask('HTTP/1.1', SERVICE_HOST, path)
    expect([ended.status, ended.headers['set-cookie']]).toEqual([200, undefined])
    expect([await asked(HR, cookies[0]!), await asked(IT, cookies[1]!)]).toEqual([401, 401])
    // Each of the client's by its own name, and no label by itself.
    const revoked = world.audit.flatMap(({ type, detail }) =>
      type === 'session.revoked' && detail?.kind === 'issuer-session' ? [detail.application] : [],
    )
    expect(revoked.sort()).toEqual(['apps', 'posted', 'single'])
  })
})
