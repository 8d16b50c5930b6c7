import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Crypto as PeculiarCrypto } from '@peculiar/webcrypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ROLL } from '../../../src/cloud/authority/authority-roll.ts'
import { ConnectorCertificates } from '../../../src/cloud/connectors/connector-certificate.ts'
import { createCertificateAuthority, createMemoryRegistry } from '../../../src/cloud/index.ts'
import { authorityFile } from '../../../src/cloud/node/index.ts'
import { until } from '../../until.ts'
import { memoryAuthorityStore, newKeys } from '../trust.ts'

const MINUTE_MS = 60_000
const T0 = Date.UTC(2030, 0, 1)

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'authority-roll-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const PROVIDERS = [
  ['the runtime’s Web Crypto', globalThis.crypto],
  ['@peculiar/webcrypto', new PeculiarCrypto() as Crypto],
] as const

describe.each(PROVIDERS)('by %s', (_, crypto) => {
  async function world(store = memoryAuthorityStore()) {
    let now = T0
    const clocks = { wallClock: () => now }
    const open = () => createCertificateAuthority({ crypto, clocks, store })
    const authority = await open()
    const certificates = new ConnectorCertificates({
      ...{ crypto, authority, registry: createMemoryRegistry() },
      directory: { tenant: () => undefined, group: () => undefined },
    })
    const keys = await newKeys()
    const spki = await globalThis.crypto.subtle.exportKey('spki', keys.publicKey)
    const publicKeySpki = new Uint8Array(spki)
    const issue = async (by = authority) =>
      (await by.issue({ publicKeySpki, tenantId: 't', connectorId: 'c', now })).der
    const passes = (ms: number) => (now += ms)
    return { authority, certificates, issue, open, passes, roll: authority.roll!, store }
  }

  test('the root before signs until the time that was told, and both are trusted', async () => {
    const { authority, certificates, issue, passes, roll } = await world()
    const before = authority.certificate
    const old = await issue()
    expect(roll.view().state).toBe('one')

    await roll.begin(T0 + MINUTE_MS)
    expect(roll.view()).toMatchObject({
      state: 'announced',
      leaving: { leavesAt: T0 + MINUTE_MS },
    })
    expect(authority.certificate).toEqual(before)
    const announced = await issue()
    expect(signer(announced, roll.trusted)).toBe(1)

    passes(MINUTE_MS)
    expect(roll.view().state).toBe('rolling')
    expect(authority.certificate).not.toEqual(before)
    const fresh = await issue()
    expect(signer(fresh, roll.trusted)).toBe(0)
    for (const der of [old, announced, fresh])
      expect(await certificates.checkLeaf(der, T0 + MINUTE_MS)).toMatchObject({ connectorId: 'c' })

    await roll.finish()
    expect(roll.view()).toEqual({ state: 'one', root: roll.view().root })
    expect(roll.trusted).toEqual([authority.certificate])
    for (const der of [old, announced])
      await expect(certificates.checkLeaf(der, T0 + MINUTE_MS)).rejects.toMatchObject({
        reason: 'certificate-untrusted',
      })
    expect(await certificates.checkLeaf(fresh, T0 + MINUTE_MS)).toMatchObject({ connectorId: 'c' })
  })

  test('what is not in its turn is refused, and changes nothing', async () => {
    const { passes, roll, store } = await world()
    const refuses = async (step: Promise<void>, detail: string) => {
      const kept = store.stored
      await expect(step).rejects.toThrow(detail)
      expect(store.stored).toBe(kept)
    }
    await refuses(roll.finish(), ROLL.one.finish.refused)
    await roll.begin(T0 + MINUTE_MS)
    await refuses(roll.begin(T0), ROLL.announced.begin.refused)
    await refuses(roll.finish(), ROLL.announced.finish.refused)
    passes(MINUTE_MS)
    await refuses(roll.begin(T0), ROLL.rolling.begin.refused)
    await roll.finish()
    await refuses(roll.finish(), ROLL.one.finish.refused)
  })

  test('each step is found again after a restart', async () => {
    const file = authorityFile(join(directory, 'authority.pem'))
    const { authority, open, passes, roll, issue } = await world(file)
    const reopened = async () => {
      const other = await open()
      other.roll!.close()
      expect(other.roll!.view()).toEqual(roll.view())
      expect(other.roll!.trusted).toEqual(roll.trusted)
      expect(signer(await issue(other), [authority.certificate])).toBe(0)
    }
    await reopened()
    await roll.begin(T0 + MINUTE_MS)
    await reopened()
    passes(MINUTE_MS)
    await reopened()
    await roll.finish()
    await reopened()
    roll.close()
  })
})

test('the file stays private, and is read again where another process replaces it', async () => {
  const path = join(directory, 'authority.pem')
  const [one, other] = await Promise.all([
    createCertificateAuthority({ store: authorityFile(path) }),
    createCertificateAuthority({ store: authorityFile(path) }),
  ])
  await one.roll!.begin(Date.now())
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  await until(() => other.roll!.view().state === 'rolling')
  expect(other.certificate).toEqual(one.certificate)
  await other.roll!.finish()
  await until(() => one.roll!.view().state === 'one')
  one.roll!.close()
  other.roll!.close()
})

test('of two operators who begin at once one makes the next root, and the other is told', async () => {
  const path = join(directory, 'authority.pem')
  const [one, other] = await Promise.all([
    createCertificateAuthority({ store: authorityFile(path) }),
    createCertificateAuthority({ store: authorityFile(path) }),
  ])
  const begun = await Promise.allSettled([
    one.roll!.begin(Date.now()),
    other.roll!.begin(Date.now()),
  ])
  expect(begun.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  await Promise.all([one.roll!.reload(), other.roll!.reload()])
  expect(one.roll!.view()).toEqual(other.roll!.view())
  one.roll!.close()
  other.roll!.close()
})

describe('a file that was damaged while it was rolled', () => {
  test.each([
    ['its line lost', (text: string) => text.replace(/^app-proxy:.*\n/m, '')],
    ['its time lost', (text: string) => text.replace(/at \S+Z,/, 'at then,')],
    ['its end lost', (text: string) => text.slice(0, text.lastIndexOf('-----BEGIN CERT'))],
    ['its begin lost', (text: string) => text.slice(text.indexOf('app-proxy:'))],
  ])('with %s is refused, and takes nothing from a process that runs', async (_, damage) => {
    const path = join(directory, 'authority.pem')
    const told: unknown[] = []
    const options = { store: authorityFile(path), onError: (error: unknown) => told.push(error) }
    const running = await createCertificateAuthority(options)
    await running.roll!.begin(Date.now())
    const { trusted } = running.roll!
    await writeFile(path, damage(await readFile(path, 'utf8')))
    await expect(createCertificateAuthority({ store: authorityFile(path) })).rejects.toThrow(path)
    await until(() => told.length > 0)
    expect(running.roll!.trusted).toEqual(trusted)
    running.roll!.close()
  })
})

test('a store that keeps what it has is not rolled', async () => {
  const { load, save, stored } = memoryAuthorityStore()
  const authority = await createCertificateAuthority({
    store: Object.assign({ load, save }, { stored }),
  })
  await expect(authority.roll!.begin(Date.now())).rejects.toThrow('its store keeps one root')
})

/** Which of the roots signed it. */
function signer(der: Uint8Array, roots: readonly Uint8Array[]): number {
  const leaf = new X509Certificate(der)
  return roots.findIndex((root) => leaf.verify(new X509Certificate(root).publicKey))
}
