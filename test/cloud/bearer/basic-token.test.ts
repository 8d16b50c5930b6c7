/** A token as the password of Basic: as good as a bearer token, and only where no browser's page can send it. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createDirectory } from '../../../src/cloud/directory/directory.ts'
import { headerValue, headerValues } from '../../../src/protocol/internal.ts'
import { HostileIssuer, status, type Json } from '../../hostile-issuer/issuer.ts'
import { edgeWorld, HOST, type EdgeWorld, type MemoryUser } from '../edge/edge-world.ts'

const BASIC = `Basic realm="${HOST}", charset="UTF-8"`

let issuer: HostileIssuer
let world: EdgeWorld
beforeAll(async () => {
  issuer = await HostileIssuer.start()
})
afterAll(() => issuer.close())
const start = async (secure: object = { bearer: { basicToken: true } }) => {
  world = await edgeWorld({}, { secure, issuer: issuer.url })
}
beforeEach(() => start())

const sign = (claims: Json = {}) =>
  issuer.sign({ sub: 'robot', aud: 'secure', ...claims }, { typ: 'at+jwt' })
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
async function ask(fields: readonly string[], rest = {}): Promise<MemoryUser> {
  const before = world.offers.length
  const user = world.ask({ authority: HOST, headers: fields, ...rest })
  await expect
    .poll(() => user.said.length > 0 || world.offers.length > before, { timeout: 10_000 })
    .toBe(true)
  return user
}
const challenges = (user: MemoryUser) => headerValues(user.headers, 'www-authenticate')

describe('a good token', () => {
  test.each(['git', '', 'alice@example.com', 'käthe', 'Bearer'])(
    'is as good under the user name "%s"; nobody is told the name',
    async (name) => {
      await ask(['Authorization', basic(`${name}:${await sign()}`), 'Cookie', world.cookie])
      const [offer] = world.offers
      expect(offer!.user).toMatchObject({ subject: 'robot' })
      expect(headerValues(offer!.headers, 'authorization')).toEqual([])
      if (name !== '') expect(JSON.stringify([world.audit.events, offer!.user])).not.toContain(name)
    },
  )

  test.each(['basic', 'BASIC', 'Basic '])('is good after "%s"', async (scheme) => {
    await ask(['authorization', basic(`x:${await sign()}`).replace('Basic', scheme)])
    expect(world.offers).toHaveLength(1)
  })

  test('is good for any method', async () => {
    const Authorization = basic(`x:${await sign()}`)
    for (const method of ['PUT', 'PROPFIND', 'POST', 'HEAD'])
      await ask(['Authorization', Authorization], { method })
    expect(world.offers).toHaveLength(4)
  })

  test.each<[string, readonly string[]]>([
    ['a page of another site', ['Sec-Fetch-Site', 'cross-site']],
    ['a page of another host of this site', ['Sec-Fetch-Site', 'same-site']],
    ['somebody who says something new', ['Sec-Fetch-Site', 'elsewhere']],
    ['another origin', ['Origin', 'https://evil.example']],
    ['no origin that can be named', ['Origin', 'null']],
    ['the same host without TLS', ['Origin', `http://${HOST}`]],
    ['two origins', ['Origin', `https://${HOST}`, 'Origin', 'https://evil.example']],
    ['an allowed origin of WebSockets', ['Origin', 'https://friend.example:8443']],
  ])('is refused from %s', async (_, fields) => {
    const user = await ask(['Authorization', basic(`x:${await sign()}`), ...fields])
    expect([user.status, user.code]).toEqual([403, 'origin-refused'])
    expect(world.offers).toEqual([])
  })

  test.each<[string, readonly string[]]>([
    ['the address bar', ['Sec-Fetch-Site', 'none']],
    ['a page of its own', ['Sec-Fetch-Site', 'same-origin', 'Origin', `https://${HOST}`]],
  ])('is good from %s', async (_, fields) => {
    await ask(['Authorization', basic(`x:${await sign()}`), ...fields])
    expect(world.offers).toHaveLength(1)
  })

  test('opens no WebSocket', async () => {
    const fields = ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Origin', `https://${HOST}`]
    const user = await ask(['Authorization', basic(`x:${await sign()}`), ...fields], {
      upgrade: 'websocket',
    })
    expect([user.status, user.code]).toEqual([403, 'origin-refused'])
  })
})

describe('a password that is no good token', () => {
  test.each<[string, () => string | Promise<string>, string]>([
    ['a password', () => basic('alice:correct horse'), 'token-malformed'],
    ['no password', () => basic('alice'), 'token-malformed'],
    ['a token with a colon behind it', async () => basic(`x:${await sign()}:`), 'token-malformed'],
    ['a token as the user name', async () => basic(`${await sign()}:x`), 'token-malformed'],
    ['nothing', () => 'Basic', 'token-malformed'],
    ['no base64', () => 'Basic %%%', 'token-malformed'],
    ['base64 cut short', () => 'Basic eDp5e', 'token-malformed'],
    ['too much of it', () => basic(`x:${'a.a.'.repeat(5_000)}`), 'token-too-large'],
    ['an ID token', async () => basic(`x:${await sign({ nonce: 'n' })}`), 'token-header'],
    ['another audience’s', async () => basic(`x:${await sign({ aud: 'y' })}`), 'token-audience'],
  ])('%s: 401 that asks for Basic', async (_, make, reason) => {
    const user = await ask(['Authorization', await make(), 'Cookie', world.cookie])
    expect([user.status, user.code]).toEqual([401, reason])
    expect(challenges(user)).toEqual([BASIC])
    expect(world.offers).toEqual([])
  })

  test('is not read a second time as something else, and the session does not help it', async () => {
    const user = await ask(['Authorization', 'Basic eDp5', 'Cookie', world.cookie])
    expect(user.status).toBe(401)
  })

  test('beside a bearer token', async () => {
    const token = await sign()
    const fields = ['Authorization', basic(`x:${token}`), 'Authorization', `Bearer ${token}`]
    const user = await ask(fields)
    expect([user.status, user.code]).toEqual([401, 'token-malformed'])
  })

  test('twenty times from one address: the next is not looked at, for a minute', async () => {
    const at = (remoteAddress: string, Authorization: string) =>
      ask(['Authorization', Authorization], { remoteAddress })
    const good = await sign()
    await at('192.0.2.7', basic(`x:${good}`))
    const later = await sign({ jti: 'later' })
    for (let i = 0; i < 20; i++) expect((await at('192.0.2.7', basic('x:y'))).status).toBe(401)
    const refused = await at('192.0.2.7', basic(`x:${later}`))
    expect([refused.status, refused.code]).toEqual([429, 'token-attempts'])
    expect(headerValue(refused.headers, 'retry-after')).toBe('60')
    // One that is known to be good, a bearer token and another address go on.
    await at('192.0.2.7', basic(`x:${good}`))
    await at('192.0.2.7', `Bearer ${await sign()}`)
    await at('192.0.2.8', basic(`x:${await sign()}`))
    expect(world.offers).toHaveLength(4)
    world.clock.now += 60_000
    await at('192.0.2.7', basic(`x:${later}`))
    expect(world.offers).toHaveLength(5)
  })

  test('is counted by networks of IPv6', async () => {
    for (let i = 0; i < 20; i++)
      await ask(['Authorization', basic('x:y')], { remoteAddress: `2001:db8::${i}` })
    const fields = ['Authorization', basic(`x:${await sign()}`)]
    expect((await ask(fields, { remoteAddress: '2001:db8::ff:1' })).status).toBe(429)
    await ask(fields, { remoteAddress: '2001:db8:0:1::1' })
    expect(world.offers).toHaveLength(1)
  })

  test('counts no failure of the issuer', async () => {
    issuer.misbehaviour = { metadata: () => status(500) }
    await start()
    for (let i = 0; i < 25; i++)
      expect((await ask(['Authorization', basic(`x:${await sign()}`)])).status).toBe(503)
    issuer.misbehaviour = {}
  })
})

describe('who shows nothing', () => {
  const JSON_ONLY = ['Accept', 'application/json']
  test.each<[string, readonly string[], readonly string[]]>([
    ['a program', [], [BASIC]],
    ['one that takes anything', ['Accept', '*/*'], [BASIC]],
    ['one that wants data', JSON_ONLY, [BASIC]],
    ['a script of a page', ['Sec-Fetch-Mode', 'cors'], ['Bearer']],
    ['a script whose browser says little of it', ['Sec-Fetch-Site', 'same-origin'], ['Bearer']],
  ])('%s is asked as it can answer', async (_, fields, expected) => {
    const user = await ask(fields)
    expect([user.status, user.code]).toEqual([401, 'sign-in-required'])
    expect(challenges(user)).toEqual(expected.map((text) => expect.stringContaining(text)))
    expect(challenges(user)).toHaveLength(1)
  })

  test('a form of an old browser is not asked for a password', async () => {
    const user = await ask(['Accept', 'text/html'], { method: 'POST' })
    expect(challenges(user)[0]).toMatch(/^Bearer /)
  })

  test('a bad bearer token is answered as one', async () => {
    const user = await ask(['Authorization', 'Bearer x'])
    expect(challenges(user)[0]).toMatch(/^Bearer .*error="invalid_token"/)
  })
})

describe('the option', () => {
  const directory =
    (bearer: object, rest: object = {}) =>
    () =>
      createDirectory({
        tenants: [{ id: 't', issuer: 'https://sts.example', registrars: { audience: 'x' } }],
        groups: [{ id: 'g', tenantId: 't' }],
        applications: [
          {
            ...{ id: 'a', groupId: 'g', preAuthentication: 'oidc', client: { id: 'a' }, bearer },
            ...{ externalUrl: 'https://a.example/', internalUrl: 'http://10.0.0.1/', ...rest },
          },
        ],
      })

  test('needs https', () =>
    expect(directory({ basicToken: true }, { externalUrl: 'http://a.localhost/' })).toThrow(
      /basicToken.*needs https/,
    ))
  test('excludes that the application is shown the token', () =>
    expect(directory({ basicToken: true, forward: true })).toThrow(/forward.*cannot be combined/))
  test('is off unless somebody says so: Basic is the application’s own', async () => {
    await start({ bearer: {} })
    await ask(['Authorization', basic(`x:${await sign()}`), 'Cookie', world.cookie])
    expect(world.offers[0]!.user).toMatchObject({ subject: 'alice' })
    expect(headerValues(world.offers[0]!.headers, 'authorization')).toHaveLength(1)
  })
})
