import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isOwnCookie } from '../../../src/cloud/directory/cookies.ts'
import { directoryOf } from '../directory/directory-of.ts'
import { offeredHeaders } from '../../../src/cloud/edge/offered-headers.ts'
import { publishedOf } from '../../../src/cloud/directory/published.ts'
import { responseHeaders } from '../../../src/cloud/edge/response-headers.ts'
import {
  dropSetCookies,
  foldName,
  sanitiseRequest,
  withoutCookies,
  withoutHeaders,
  withoutHopByHop,
} from '../../../src/protocol/internal.ts'

const configuration = (more: object) => ({
  tenants: [{ id: 'contoso', issuer: 'https://sts.example', registrars: { audience: 'x' } }],
  groups: [{ id: 'default', tenantId: 'contoso' }],
  applications: [
    {
      id: 'wiki',
      groupId: 'default',
      externalUrl: 'https://wiki.example/docs/',
      internalUrl: 'http://10.0.0.1:8080/base/',
      preAuthentication: 'oidc',
      client: { id: 'wiki' },
      identityHeaders: { 'X-User': 'subject', 'X-Groups': 'groups', 'X-Name': 'name' },
      ...more,
    },
  ],
})
const application = publishedOf(directoryOf(configuration({})).application('wiki')!)
const request = (headers: readonly string[], address = '192.0.2.7') =>
  offeredHeaders({ headers, httpVersion: '1.1' }, address, application, {})
const OWN = 10

describe('what is offered of a request', () => {
  test('ends in our own words', () => {
    expect(request([])).toEqual([
      ...['Forwarded', 'for=192.0.2.7;host="wiki.example";proto=https'],
      ...['X-Forwarded-For', '192.0.2.7', 'X-Forwarded-Host', 'wiki.example'],
      ...['X-Forwarded-Proto', 'https', 'Via', '1.1 app-proxy'],
    ])
    expect(request([], 'unknown').slice(0, 4)).toEqual([
      ...['Forwarded', 'for=unknown;host="wiki.example";proto=https'],
      ...['X-Forwarded-For', 'unknown'],
    ])
    expect(request([], '2001:db8::1')[1]).toMatch(/^for="\[2001:db8::1\]";/)
  })

  test('T7 has the identity headers of the user, as octets that end no line', () => {
    const user = { subject: 'a\r\nX-Admin: 1', issuer: 'i', name: 'Åsa', groups: ['a', 'b'] }
    const head = { headers: ['X-User', 'mallory'], httpVersion: '1.1' }
    for (let i = 0; i < 2; i++)
      expect(offeredHeaders(head, '::1', application, { user }).slice(OWN)).toEqual([
        // Of a subject that ends a line nothing is told, not even one that looks like it.
        ...['X-Groups', 'a,b', 'X-Name', '\u00c3\u0085sa'],
      ])
  })

  test('says that trailers are taken, when the user takes them', () => {
    for (const te of ['trailers', 'gzip;q=0.5, Trailers', 'trailers ,deflate'])
      expect(request(['TE', te, 'Connection', 'TE']).slice(0, 2)).toEqual(['TE', 'trailers'])
    for (const te of ['gzip', 'x-trailers', 'trailers;q=0'])
      expect(request(['TE', te])[0]).toBe('Forwarded')
  })

  test('has the length in its own spelling only', () => {
    expect(request(['content-length', '3', 'Content_Length', '4', 'Content.Length', '5'])).toEqual([
      ...['content-length', '3', ...request([])],
    ])
  })

  const name = fc.oneof(
    fc.constantFrom(
      ...['Host', 'Connection', 'Cookie', 'cookie', 'Expect', 'X-User', 'x_user', 'X.Groups'],
      ...['Upgrade', 'keep_alive', 'X-Forwarded-For', 'x_forwarded_new', 'X-Original.URL', 'Via'],
      ...['X-Real-IP', 'Referer', 'Accept', '-x', '_x', 'Proxy-Connection', 'Origin'],
    ),
    fc.stringMatching(/^[A-Za-z._-]{1,8}$/),
  )
  const value = fc.oneof(
    fc.constantFrom(
      ...['keep-alive', 'close, Accept', 'upgrade', 'referer', 'cookie', 'a=1; b', ' ,-x'],
      ...['a=1; __Host-app-proxy-session-x=y;b', 'app-proxy-attempt=1', '=app-proxy-=;', ';;a=='],
    ),
    fc.stringMatching(/^[\t\x20-\x7e\x80-\xff]{0,16}$/),
  )
  const lists = fc.array(fc.tuple(name, value), { maxLength: 12 }).map((pairs) => pairs.flat())

  test('is what the rules leave, one after the other', () =>
    fc.assert(
      fc.property(lists, (headers) => {
        const clean = sanitiseRequest(headers, application.reserved)
        const left = withoutHeaders(withoutCookies(clean, isOwnCookie), 'host', 'expect')
        expect(request(headers).slice(0, -OWN)).toEqual(left)
      }),
      { numRuns: 1000 },
    ))

  test('T1 holds no name of ours in any spelling', () =>
    fc.assert(
      fc.property(lists, (headers) => {
        for (const [i, text] of request(headers).slice(0, -OWN).entries())
          if (i % 2 === 0)
            expect(foldName(text)).not.toMatch(/^(x-user|x-groups|x-real-ip|x-forwarded-.*|host)$/)
      }),
    ))
})

describe('what the user gets of a response', () => {
  const response = (headers: readonly string[], status = 200) =>
    responseHeaders({ status, headers })

  test('is the list itself when nothing is to be done', () => {
    const headers = ['Date', 'x', 'Set-Cookie', 'a=1', 'Location', '/b', 'Content-Length', '1']
    expect(response(headers)).toBe(headers)
  })

  test('is without what belongs to the connection, and without our cookies', () => {
    const headers = [
      ...['A', '1', 'Connection', 'close, b', 'B', '2', 'Keep-Alive', '5', 'Upgrade', 'h2c'],
      ...['set-cookie', 'APP-PROXY-session-x=1; Path=/', 'Set-Cookie', 'c=d', 'E', '3'],
    ]
    const expected = ['A', '1', 'Set-Cookie', 'c=d', 'E', '3']
    expect(response(headers)).toEqual(expected)
    expect(dropSetCookies(withoutHopByHop(headers), isOwnCookie)).toEqual(expected)
  })

  test('names no other way to the host inside', () =>
    expect(response(['Alt-Svc', 'h3=":443"', 'A', 'b'])).toEqual(['A', 'b']))

  test('has no length where there is no content', () => {
    for (const status of [103, 204]) expect(response(['Content-Length', '5'], status)).toEqual([])
    for (const status of [200, 206, 304])
      expect(response(['Content-Length', '5'], status)).toHaveLength(2)
  })
})

describe('origins an operator allows', () => {
  const read = (more: object) => () => directoryOf(configuration(more))
  test('are kept', () =>
    expect(
      read({ allowedOrigins: ['https://a.example'] })().application('wiki')!.allowedOrigins,
    ).toEqual(['https://a.example']))

  test.each([
    'a.example',
    'https://a.example/',
    'https://A.example',
    'null',
    '*',
    'ws://a.example',
  ])('are origins: %s is none', (origin) =>
    expect(read({ allowedOrigins: ['https://a.example', origin] })).toThrow(
      'applications[0].allowedOrigins[1]: must be an origin',
    ),
  )

  test('have no meaning where nobody signs in', () =>
    expect(
      read({
        allowedOrigins: [],
        preAuthentication: 'passthrough',
        client: undefined,
        identityHeaders: {},
      }),
    ).toThrow('allowedOrigins: has no meaning'))
})
