/**
 * Access as a program lives it: real `curl`, the real user listener, the real issuer and its tokens. The rules one by one are in test/cloud/request/navigation.test.ts,
 * bearer.test.ts and cors.test.ts.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { REGISTRAR, SCOPE } from '../examples/demo/configurations.ts'
import { registrarToken } from '../examples/registrar-token.ts'
import { startDemo, UserAgent, type DemoProcess } from '../test/examples/demo-process.ts'

let demo: DemoProcess
/** The `Cookie` of somebody who is signed in. */
let cookie: string
beforeAll(async () => {
  demo = await startDemo()
  const agent = new UserAgent()
  await agent.signIn(demo.url('intranet'), demo.users[0]!)
  cookie = agent.cookie
})
afterAll(() => demo.stop())

interface CurlAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

/** What curl gets for `/headers` of the private site, which tells what reached it. */
async function curl(...args: string[]): Promise<CurlAnswer> {
  const url = demo.url('intranet', '/headers')
  const { host } = new URL(url)
  const { stdout } = await promisify(execFile)('curl', [
    ...['--silent', '--include', '--max-time', '20', '--noproxy', '*'],
    ...['--resolve', `${host}:127.0.0.1`, ...args, url],
  ])
  const end = stdout.indexOf('\r\n\r\n')
  const [first, ...lines] = stdout.slice(0, end).split('\r\n')
  const headers = lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  return {
    status: Number(first!.split(' ')[1]),
    headers: Object.fromEntries(headers),
    text: stdout.slice(end + 4),
  }
}
const header = (name: string, value: string) => ['--header', `${name}: ${value}`]
const code = ({ text }: CurlAnswer) => (JSON.parse(text) as { code: string }).code

/** A token that Alice lets a program have. */
const tokenOf = (user = demo.users[0]!, scope = `openid ${SCOPE}`) =>
  registrarToken({
    ...{ issuer: demo.issuer, ...REGISTRAR, ...user, scope },
    audience: demo.url('intranet'),
  })

test('R3.1d a plain request of curl learns that the application takes tokens', async () => {
  const answer = await curl()
  expect(answer.status).toBe(401)
  expect(answer.headers['www-authenticate']).toMatch(/^Bearer realm=/)
})

test('R3.1b one that takes pages is redirected to the issuer', async () => {
  const answer = await curl('--header', 'Accept: text/html, */*')
  expect(answer.status).toBe(302)
  expect(new URL(answer.headers['location']!).origin).toBe(demo.issuer)
})

describe('R3.1d a request that is no navigation', () => {
  test.each([
    ['one that accepts JSON', ['--header', 'Accept: application/json']],
    ['one that a script makes', ['--header', 'Sec-Fetch-Mode: cors']],
    [
      'one that a script makes and that takes pages',
      ['--header', 'Sec-Fetch-Mode: cors', '--header', 'Accept: text/html'],
    ],
    ['one that sends something', ['--data', 'x=1']],
    ['one that changes something', ['--request', 'DELETE']],
    [
      'a WebSocket',
      [
        '--http1.1',
        '--header',
        'Connection: Upgrade',
        '--header',
        'Upgrade: websocket',
        '--header',
        'Sec-WebSocket-Version: 13',
        '--header',
        'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==',
      ],
    ],
  ])('R3.1d %s is told 401, and no sign-in begins', async (_, args) => {
    const { status, headers } = await curl(...args)
    expect(status).toBe(401)
    expect(headers['www-authenticate']).toMatch(/^Bearer realm="/)
    expect(headers).not.toHaveProperty('location')
    expect(headers).not.toHaveProperty('set-cookie')
  })
})

describe('R3.1e a token', () => {
  test('R3.1e of the issuer gets in, and the application is told who asks', async () => {
    const { status, headers, text } = await curl(
      ...header('Authorization', `Bearer ${await tokenOf()}`),
    )
    expect([status, headers['set-cookie']]).toEqual([200, undefined])
    expect(text).toMatch(/x-user-name\W+Alice Adams/i)
    expect(text).toMatch(/x-user-email\W+alice@contoso\.example/i)
    expect(text).not.toMatch(/authorization/i)
  })

  test('R3.1e that is not good is refused with the reason, whatever cookie comes with it', async () => {
    const good = await tokenOf()
    const bad = good.replace(/[^.]{12}$/, 'AAAAAAAAAAAA')
    for (const [token, reason] of [
      ['rubbish', 'token-malformed'],
      [bad, 'token-signature'],
    ] as const) {
      const answer = await curl(
        ...header('Authorization', `Bearer ${token}`),
        ...header('Cookie', cookie),
      )
      expect([answer.status, code(answer)]).toEqual([401, reason])
      expect(answer.headers['www-authenticate']).toContain(
        `error="invalid_token", error_description="${reason}`,
      )
      expect(answer.headers).not.toHaveProperty('set-cookie')
    }
  })

  test('R3.1e for something else is refused: for registration, without the scope, of somebody who is not assigned', async () => {
    const audience = 'urn:app-proxy:registration'
    const registration = await registrarToken({
      ...{ issuer: demo.issuer, ...REGISTRAR, audience, ...demo.users[0]! },
    })
    for (const [token, status, reason] of [
      [registration, 401, 'token-audience'],
      [await tokenOf(demo.users[0], 'openid'), 403, 'token-scope'],
      [await tokenOf(demo.users[1]), 403, 'not-assigned'],
    ] as const) {
      const answer = await curl(...header('Authorization', `Bearer ${token}`))
      expect([answer.status, code(answer)]).toEqual([status, reason])
    }
  })

  test('R3.1e can be asked for by who knows nothing but the address of the application', async () => {
    const { headers } = await curl(...header('Accept', 'application/json'))
    const [, metadata] = /resource_metadata="([^"]+)"/.exec(headers['www-authenticate']!)!
    const answer = await new UserAgent().get(metadata!)
    expect(JSON.parse(answer.text)).toMatchObject({
      resource: demo.url('intranet'),
      authorization_servers: [demo.issuer],
      scopes_supported: [SCOPE],
    })
  })
})

describe('R3.1f a preflight', () => {
  const friend = () => new URL(demo.url('open')).origin
  const preflight = (origin: string, ...more: string[]) =>
    curl(
      ...['--request', 'OPTIONS', ...header('Origin', origin)],
      ...[...header('Access-Control-Request-Method', 'PUT'), ...more],
    )

  test.each([
    ['who is not signed in', () => []],
    ['who is signed in', () => header('Cookie', cookie)],
  ])('R3.1f of somebody %s is answered by the rule, and reaches nobody', async (_, more) => {
    const allowed = await preflight(friend(), ...more())
    expect([allowed.status, allowed.text]).toEqual([204, ''])
    expect(allowed.headers).toMatchObject({
      'access-control-allow-origin': friend(),
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, HEAD, POST, PUT',
    })
    const refused = await preflight('https://elsewhere.example', ...more())
    expect([refused.status, code(refused)]).toEqual([403, 'cors-origin-refused'])
    expect(Object.keys(refused.headers).join()).not.toMatch(/access-control/)
  })

  test('R3.1f is followed by answers that the page may read, also where it must sign in', async () => {
    const asked = [...header('Origin', friend()), ...header('Sec-Fetch-Mode', 'cors')]
    const unknown = await curl(...asked)
    const known = await curl(...asked, ...header('Cookie', cookie))
    expect([unknown.status, known.status]).toEqual([401, 200])
    for (const { headers } of [unknown, known])
      expect(headers).toMatchObject({
        'access-control-allow-origin': friend(),
        'access-control-allow-credentials': 'true',
        vary: 'Origin',
      })
  })
})
