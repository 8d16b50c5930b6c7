/**
 * What the application is told of its user in header fields, at the edge: the real admission, session and offer.
 *
 * @module
 */
import { describe, expect, test } from 'vitest'
import { edgeWorld, HOST } from '../test/cloud/edge/edge-world.ts'

const CLAIMS = {
  department: 'R&D',
  employee: 4711,
  manager: false,
  sites: ['a,b', 'c'],
}

/** The fields of an offer under a name; each application is told by `headers`, said as a kind. */
async function told(
  headers: object,
  { user = {}, sent = [] as string[] }: { user?: object; sent?: readonly string[] } = {},
) {
  const secure = { identityHeaders: undefined, signOn: { kind: 'headers', headers } }
  const world = await edgeWorld({}, { secure, user: { claims: CLAIMS, ...user } })
  world.ask({ authority: HOST, headers: ['Cookie', world.cookie, ...sent] })
  const { headers: offered } = world.offers[0]!
  return {
    world,
    of: (name: string) =>
      offered.flatMap((one, i) => (i % 2 === 0 && one === name ? [offered[i + 1]!] : [])),
    offered,
  }
}

test('R6.1a a header tells any claim, typed; one that is not known is left out', async () => {
  const { of } = await told({
    ...{ 'X-User': 'subject', 'X-Issuer': 'issuer', 'X-Mail': 'email', 'X-Dept': 'department' },
    ...{ 'X-No': 'employee', 'X-Boss': { claim: 'manager' }, 'X-Site': 'sites' },
    ...{ 'X-Phone': 'phone_number', 'X-Org': { value: 'contoso' } },
  })
  expect(of('X-User')).toEqual(['alice'])
  expect(of('X-Issuer')).toEqual(['https://sts.example'])
  expect(of('X-Dept')).toEqual(['R&D'])
  expect(of('X-No')).toEqual(['4711'])
  expect(of('X-Boss')).toEqual(['false'])
  expect(of('X-Org')).toEqual(['contoso'])
  // Not known, and two where one is read.
  for (const name of ['X-Mail', 'X-Phone', 'X-Site']) expect(of(name)).toEqual([])
})

test('R6.1b members of a list stay apart', async () => {
  const headers = {
    'X-Split': { claim: 'sites', list: 'separated' },
    'X-Json': { claim: 'sites', list: 'json' },
    'X-Groups': 'groups',
  }
  const one = await told(headers, { user: { claims: { sites: ['a,b'] }, groups: ['a,b'] } })
  const two = await told(headers, { user: { claims: { sites: ['a', 'b'] }, groups: ['a', 'b'] } })
  const text = await told(headers, { user: { claims: { sites: 'a,b' }, groups: [] } })
  const fields = ({ of }: typeof one) => [...of('X-Split'), ...of('X-Json'), ...of('X-Groups')]
  expect(fields(one)).toEqual(['a%2Cb', '["a,b"]', 'a%2Cb'])
  expect(fields(two)).toEqual(['a,b', '["a","b"]', 'a,b'])
  expect(fields(text)).toEqual(['a%2Cb', '["a,b"]', ''])
})

test.each([
  ['utf-8', '\u00c3\u0085sa'],
  ['percent', '%C3%85sa'],
  ['quoted-printable', '=C3=85sa'],
  ['rfc8187', "UTF-8''%C3%85sa"],
  ['base64url', 'w4VzYQ'],
])('R6.1c a name is written in %s', async (encoding, field) => {
  const { of } = await told({ 'X-Name': { claim: 'name', encoding } }, { user: { name: 'Åsa' } })
  expect(of('X-Name')).toEqual([field])
})

describe('R6.1d nobody else says it', () => {
  test.each(['X-Dept', 'x-dept', 'X_DEPT', 'x.dept', 'X_Dept', 'x-Dept'])(
    'T7 under the name %s',
    async (name) => {
      const { offered, of } = await told(
        { 'X-Dept': 'department' },
        { sent: [name, 'mallory', name, 'again'] },
      )
      expect(of('X-Dept')).toEqual(['R&D'])
      expect(offered.join('\n')).not.toMatch(/mallory|again/)
    },
  )

  test('T7 where the claim is not known either', async () => {
    const { offered } = await told({ 'X-Phone': 'phone_number' }, { sent: ['x_phone', 'mallory'] })
    expect(offered.join('\n')).not.toContain('mallory')
  })
})

test('R6.1e who cannot be told whole is not signed in', async () => {
  const department = 'x'.repeat(3_000)
  await expect(
    told({ 'X-Dept': 'department' }, { user: { claims: { department } } }),
  ).rejects.toMatchObject({ reason: 'token-too-large', evidence: 'session' })
})
