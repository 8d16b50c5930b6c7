import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Application, type IdentifiedConnector } from '../../../src/cloud/index.ts'
import { ConfigurationService } from '../../../src/cloud/connectors/configuration-service.ts'
import type { ConfigurationRequest } from '../../../src/protocol/internal.ts'
import * as x509 from '../../../src/runtime/x509.ts'
import {
  adminToken,
  DAY,
  newKeys,
  registration,
  requestFor,
  startTrust,
  PROVIDERS,
  useProvider,
} from '../trust.ts'

describe.each(PROVIDERS)('over %s', (_, provider) => {
  beforeAll(() => useProvider(provider))
  const application = (id: string, groupId: string, tenantId = 'contoso'): Application => ({
    id,
    tenantId,
    name: id,
    version: 'v1',
    externalUrl: `https://${id}.example/`,
    internalUrl: `http://${id}.internal:8080/`,
    groupId,
    preAuthentication: 'oidc',
    client: { id: 'client', secret: 'planted-secret' },
    identityHeaders: {},
    hostHeader: 'internal',
    verifyCertificate: true,
    responseHeadMs: 85_000,
  })

  let trust: Awaited<ReturnType<typeof startTrust>>
  beforeEach(async () => {
    trust = await startTrust({}, {}, [
      application('wiki', 'contoso-default'),
      application('payroll', 'contoso-finance'),
      application('crm', 'contoso-default', 'fabrikam'),
    ])
  })
  afterEach(() => trust.issuer.close())

  async function caller(): Promise<IdentifiedConnector> {
    const request = await requestFor(await newKeys())
    const token = await adminToken(trust.issuer)
    const reply = await trust.registrar.register(registration(token, request))
    if (reply.type !== 'registered') throw new Error(reply.reason)
    return trust.certificates.identify(reply.certificate, trust.clocks.wallClock())
  }

  const pull = (more: Partial<ConfigurationRequest> = {}): ConfigurationRequest => ({
    v: 1,
    type: 'configuration',
    ...more,
  })

  describe('a pull', () => {
    test('answers group and instances, and the time by our clock', async () => {
      const service = new ConfigurationService({
        ...trust,
        clocks: { wallClock: () => 1_800_000_000_000 },
        instances: () => ({ one: 'https://cloud.example:8443' }),
      })
      const { serverTime, configuration, certificate } = await service.configuration(
        await caller(),
        pull(),
      )
      expect(configuration).toEqual({
        version: expect.stringMatching(/^[0-9a-f]+$/),
        groupId: 'contoso-default',
        groupName: 'Group contoso-default',
        instances: { one: 'https://cloud.example:8443' },
        pullEveryMs: 120_000,
        renewAfterMs: 30 * DAY,
        standing: 'active',
        applications: { wiki: 'v1' },
      })
      expect(certificate).toBeUndefined()
      expect(serverTime).toBe(1_800_000_000_000)
    })

    test('by who has it answers no more than the time', async () => {
      const who = await caller()
      const { configuration } = await trust.configuration.configuration(who, pull())
      const have = configuration!.version
      const again = await trust.configuration.configuration(who, pull({ have }))
      expect(again).toEqual({ v: 1, type: 'configuration', serverTime: expect.any(Number) })
    })

    test('has another version exactly when its content is another', async () => {
      const who = await caller()
      const version = async (instances: Record<string, string>, connector = who.connector) => {
        const service = new ConfigurationService({ ...trust, instances: () => instances })
        const reply = await service.configuration({ ...who, connector }, pull())
        return reply.configuration!.version
      }
      const one = await version({ a: 'https://a.example', b: 'https://b.example' })
      expect(await version({ b: 'https://b.example', a: 'https://a.example' })).toBe(one)
      expect(await version({ a: 'https://a.example' })).not.toBe(one)
      const moved = { ...who.connector, groupId: 'contoso-finance' }
      const both = { a: 'https://a.example', b: 'https://b.example' }
      expect(await version(both, moved)).not.toBe(one)
      const draining = { ...who.connector, standing: 'draining' as const }
      expect(await version(both, draining)).not.toBe(one)
      const [wiki] = trust.directory.applications()
      const applications = [{ ...wiki!, version: 'v2' }]
      const directory = { ...trust.directory, applications: () => applications }
      const service = new ConfigurationService({ ...trust, directory, instances: () => both })
      const changed = await service.configuration(who, pull())
      expect(changed.configuration?.version).not.toBe(one)
      expect(changed.configuration?.version).toBe(service.versionFor(who.connector))
    })

    test('names no applications where there are too many', async () => {
      const who = await caller()
      const many = Array.from({ length: 1_001 }, (_, i) => application(`a-${i}`, 'contoso-default'))
      const directory = { ...trust.directory, applications: () => many }
      const service = new ConfigurationService({ ...trust, directory, instances: () => ({}) })
      const pulled = async () => (await service.configuration(who, pull())).configuration!
      expect((await pulled()).applications).toBeUndefined()
      many.pop()
      expect(Object.keys((await pulled()).applications!)).toHaveLength(1_000)
    })

    test('that reports a version it could not apply is audited', async () => {
      const who = await caller()
      const error = `no: ${'x'.repeat(2000)}`
      await trust.configuration.configuration(who, pull({ applied: { version: 'v1' } }))
      expect(trust.audit.events.at(-1)?.type).toBe('connector.registration')
      await trust.configuration.configuration(who, pull({ applied: { version: 'v2', error } }))
      expect(trust.audit.events.at(-1)).toMatchObject({
        type: 'connector.configuration',
        outcome: 'failed',
        connectorId: who.connector.id,
        detail: { version: 'v2', error: error.slice(0, 500) },
      })
    })
  })

  describe('a roll', () => {
    test('certifies the new key for the same connector, and nothing else of the request', async () => {
      const who = await caller()
      const keys = await newKeys()
      const request = await requestFor(keys, {
        name: 'CN=other',
        extensions: [
          new x509.SubjectAlternativeNameExtension([
            { type: 'url', value: 'urn:app-proxy:tenant:fabrikam:connector:x' },
          ]),
        ],
      })
      const { certificate } = await trust.configuration.configuration(who, pull({ request }))
      const next = await trust.certificates.identify(
        certificate!.certificate,
        trust.clocks.wallClock(),
      )
      expect(next.connector).toEqual(who.connector)
      expect(next.certificate.keyId).not.toBe(who.certificate.keyId)
      expect(certificate!.chain).toEqual([trust.authority.certificate])
      expect(trust.audit.events.at(-1)).toMatchObject({
        type: 'connector.renewal',
        outcome: 'success',
        connectorId: who.connector.id,
        detail: {
          callerSerial: who.certificate.serial,
          serial: next.certificate.serial,
          repeated: false,
          ignored: [
            'subject CN=other',
            'subjectAltName url:urn:app-proxy:tenant:fabrikam:connector:x',
          ],
        },
      })
    })

    test('of the same key yields the same certificate: its reply may have been lost', async () => {
      const who = await caller()
      const keys = await newKeys()
      const replies = [
        await trust.configuration.configuration(who, pull({ request: await requestFor(keys) })),
        await trust.configuration.configuration(who, pull({ request: await requestFor(keys) })),
      ]
      expect(replies[1]!.certificate).toEqual(replies[0]!.certificate)
      expect(await trust.registry.certificates(who.connector.id)).toHaveLength(2)
    })

    test('with a request that proves nothing is refused and audited', async () => {
      const who = await caller()
      const request = await requestFor(await newKeys())
      request[request.length - 1]! ^= 1
      const answer = trust.configuration.configuration(who, pull({ request }))
      await expect(answer).rejects.toMatchObject({ reason: 'request-signature' })
      expect(trust.audit.events.at(-1)).toMatchObject({
        type: 'connector.renewal',
        outcome: 'refused',
        reason: 'request-signature',
        connectorId: who.connector.id,
      })
    })

    test('by a connector revoked between check and commit is refused', async () => {
      const who = await caller()
      await trust.registry.setStanding(who.connector.id, 'revoked', 0)
      const request = await requestFor(await newKeys())
      const answer = trust.configuration.configuration(who, pull({ request }))
      await expect(answer).rejects.toMatchObject({ reason: 'certificate-revoked' })
      expect(await trust.registry.certificates(who.connector.id)).toHaveLength(1)
    })
  })

  describe('details of an application', () => {
    const ask = (who: IdentifiedConnector, applicationId: string) =>
      trust.configuration.application(who, { v: 1, type: 'application', applicationId })

    test('go to connectors of its group, without its secret', async () => {
      const reply = ask(await caller(), 'wiki')
      expect(reply).toEqual({
        v: 1,
        type: 'application',
        application: {
          id: 'wiki',
          version: 'v1',
          internalUrl: 'http://wiki.internal:8080/',
          externalUrl: 'https://wiki.example/',
          hostHeader: 'internal',
          verifyCertificate: true,
          responseHeadMs: 85_000,
        },
      })
    })

    test.each(['payroll', 'crm', 'nothing'])(
      'of another group or tenant, or of none, are unknown: %s',
      async (applicationId) => {
        expect(ask(await caller(), applicationId)).toEqual({
          v: 1,
          type: 'unknown-application',
          applicationId,
        })
      },
    )

    test.each([
      ['pending', 'unknown-application'],
      ['active', 'application'],
      ['draining', 'application'],
      ['disabled', 'unknown-application'],
    ] as const)('for a connector that is %s: %s', async (standing, type) => {
      const who = await caller()
      const connector = { ...who.connector, standing }
      expect(ask({ ...who, connector }, 'wiki').type).toBe(type)
    })
  })
})
