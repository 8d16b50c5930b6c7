/**
 * Installation of a connector, as the cloud sees it: real keys and requests, tokens of a real issuer over HTTP, the real
 * authority, registrar and registry.
 *
 * @module
 */
import { X509Certificate } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import * as x509 from '../src/runtime/x509.ts'
import {
  adminToken,
  newKeys,
  registration,
  requestFor,
  spkiOf,
  startTrust,
} from '../test/cloud/trust.ts'

let trust: Awaited<ReturnType<typeof startTrust>>
beforeEach(async () => {
  trust = await startTrust()
})
afterEach(() => trust.issuer.close())

async function register(token: Promise<string>, request?: Uint8Array<ArrayBuffer>) {
  return trust.registrar.register(
    registration(await token, request ?? (await requestFor(await newKeys()))),
  )
}
const lastAudit = () => trust.audit.events.at(-1)
const refusal = (reason: string) => expect.objectContaining({ type: 'refused', reason })
const seconds = () => Math.floor(Date.now() / 1000)

test.each(['company-administrator', 'application-administrator'])(
  'R1.2a the token must prove a registrar role in the tenant it was issued for: %s',
  async (role) => {
    const reply = await register(adminToken(trust.issuer, { roles: [role] }))
    expect(reply).toMatchObject({ type: 'registered', tenantId: 'contoso' })
  },
)

test('R1.2a a role held in one tenant is none in another', async () => {
  expect(await register(adminToken(trust.issuer, { tid: 'fabrikam' }))).toEqual(
    refusal('token-tenant'),
  )
})

test.each([
  ['such a registrar', async () => ({ token: await adminToken(trust.issuer) })],
  ['the operator at the service', async () => ({ operator: 'carol' })],
] as const)('R1.2a a one-time ticket made by %s serves in its place', async (_, maker) => {
  await trust.issuer.close()
  trust = await startTrust({ enrolmentTickets: true })
  const { ticket } = await trust.registrar.tickets.create({
    tenantId: 'contoso',
    by: await maker(),
  })
  const { token: _token, ...message } = registration('', await requestFor(await newKeys()))
  const shown = { ...message, ticket, features: ['enrolment-ticket'] }
  const reply = await trust.registrar.register(shown)
  expect(reply).toMatchObject({ type: 'registered', tenantId: 'contoso', standing: 'pending' })
})

test('R1.2a no ticket serves where the tenant does not allow it', async () => {
  const order = { tenantId: 'contoso', by: { operator: 'carol' } }
  await expect(trust.registrar.tickets.create(order)).rejects.toMatchObject({
    code: 'ERR_CONFIGURATION_INVALID',
    path: 'enrolmentTickets',
  })
})

test.each<[string, string, () => Record<string, unknown>]>([
  ['is not a registrar', 'token-role', () => ({ roles: ['user'] })],
  ['is of another tenant', 'token-tenant', () => ({ tid: 'fabrikam' })],
  ['is of an issuer that no tenant has', 'token-issuer', () => ({ iss: 'https://evil.example' })],
  ['shows a token for another service', 'token-audience', () => ({ aud: 'https://other.example' })],
  ['shows a token that has expired', 'token-expired', () => ({ exp: seconds() - 61 })],
  ['shows a token that is not valid yet', 'token-not-yet-valid', () => ({ nbf: seconds() + 120 })],
])('R1.2b the registration ends there when the subject %s', async (_, reason, claims) => {
  expect(await register(adminToken(trust.issuer, claims()))).toEqual(refusal(reason))
  // It ends before the certificate request is looked at, and nothing was registered.
  expect(lastAudit()).toMatchObject({
    outcome: 'refused',
    reason,
    detail: { while: 'verifying-token' },
  })
  expect(lastAudit()?.detail).not.toHaveProperty('keyId')
  expect(await trust.registry.list('contoso')).toEqual([])
})

test('R1.3b the cloud verifies the token and signs the certificate request', async () => {
  const keys = await newKeys()
  const reply = await register(adminToken(trust.issuer), await requestFor(keys))
  if (reply.type !== 'registered') return expect.unreachable(reply.reason)
  const leaf = new X509Certificate(reply.certificate)
  const root = new X509Certificate(reply.chain[0]!)
  expect(leaf.verify(root.publicKey)).toBe(true)
  expect(leaf.publicKey.export({ type: 'spki', format: 'der' })).toEqual(
    Buffer.from(await spkiOf(keys)),
  )
  expect(leaf.subjectAltName).toBe(
    `URI:urn:app-proxy:tenant:contoso:connector:${reply.connectorId}`,
  )
})

test('R1.3b it takes the key from the request and nothing else, and records what it ignored', async () => {
  const request = await requestFor(await newKeys(), {
    name: 'CN=another subject',
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.SubjectAlternativeNameExtension([
        { type: 'url', value: 'urn:app-proxy:tenant:fabrikam:connector:boss' },
      ]),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    ],
  })
  const reply = await register(adminToken(trust.issuer), request)
  if (reply.type !== 'registered') return expect.unreachable(reply.reason)
  const leaf = new X509Certificate(reply.certificate)
  expect(leaf.ca).toBe(false)
  expect(leaf.subject).not.toContain('another subject')
  expect(leaf.subjectAltName).not.toContain('fabrikam')
  expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
  expect(lastAudit()).toMatchObject({
    outcome: 'success',
    connectorId: reply.connectorId,
    detail: {
      ignored: [
        'subject CN=another subject',
        'basicConstraints CA:true',
        'subjectAltName url:urn:app-proxy:tenant:fabrikam:connector:boss',
        'extendedKeyUsage serverAuth',
      ],
    },
  })
})

test('R1.3b a request that does not prove possession of its key is not signed', async () => {
  const [keys, others] = [await newKeys(), await newKeys()]
  const request = await requestFor({ publicKey: keys.publicKey, privateKey: others.privateKey })
  expect(await register(adminToken(trust.issuer), request)).toEqual(refusal('request-signature'))
  expect(lastAudit()).toMatchObject({ subject: 'alice', reason: 'request-signature' })
})

test('R1.3b a token is spent on one key: another key is refused', async () => {
  const token = adminToken(trust.issuer)
  expect((await register(token)).type).toBe('registered')
  expect(await register(token)).toEqual(refusal('token-replayed'))
  expect(lastAudit()).toMatchObject({ outcome: 'refused', reason: 'token-replayed' })
  expect(await trust.registry.list('contoso')).toHaveLength(1)
})

test('R1.3b a registration whose reply was lost succeeds on retry with the same certificate', async () => {
  const [token, keys] = [adminToken(trust.issuer), await newKeys()]
  const lost = await register(token, await requestFor(keys))
  // A new request for the same key: its signature is another every time.
  const again = await register(token, await requestFor(keys))
  if (lost.type !== 'registered' || again.type !== 'registered') return expect.unreachable()
  expect(again.certificate).toEqual(lost.certificate)
  expect(again.connectorId).toBe(lost.connectorId)
  expect(lastAudit()).toMatchObject({ outcome: 'success', detail: { repeated: true } })
  expect(await trust.registry.list('contoso')).toHaveLength(1)
})

test('R1.3b the tenant is the token’s: the request cannot name another', async () => {
  const message = registration(
    await adminToken(trust.issuer),
    await requestFor(await newKeys(), { name: 'O=fabrikam' }),
  )
  const reply = await trust.registrar.register({ ...message, tenantId: 'fabrikam' } as never)
  expect(reply).toMatchObject({ type: 'registered', tenantId: 'contoso' })
})
