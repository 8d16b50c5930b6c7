import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createCertificateRequest } from '../../../src/connector/certificate-request.ts'
import { FileIdentityStore } from '../../../src/connector/node/file-identity-store.ts'
import { ConnectorWorld } from '../connector-world.ts'
import { MortalStore } from '../mortal-store.ts'

let directory: string
let base: string
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'app-proxy-identity-'))
  directory = join(base, 'connector')
})
afterEach(() => rm(base, { recursive: true }))

const store = () => new FileIdentityStore({ directory })
const file = () => join(directory, 'identity.json')

/** What a registration leaves on the disk. */
async function registered() {
  const world = await ConnectorWorld.create().finally(() => undefined)
  const identity = await world.within(60_000, world.register(new MortalStore(store(), world.time)))
  await world.close()
  return identity
}

test('an empty directory holds nothing', async () => {
  expect(await store().load()).toEqual({})
})

test('what is saved is loaded, and its key still signs', async () => {
  const identity = await registered()
  const { current } = await store().load()
  const { keys, ...rest } = identity
  expect(current).toMatchObject(rest)
  const request = await createCertificateRequest(current!.keys, crypto)
  expect(request.length).toBeGreaterThan(100)
  const spki = (pair: CryptoKeyPair) => crypto.subtle.exportKey('spki', pair.publicKey)
  expect(Buffer.from(await spki(current!.keys))).toEqual(Buffer.from(await spki(keys)))
})

test('only its owner may read it', async () => {
  await registered()
  expect((await stat(directory)).mode & 0o777).toBe(0o700)
  expect((await stat(file())).mode & 0o777).toBe(0o600)
  expect(await readdir(directory)).toEqual(['identity.json'])
})

test('the key is PKCS#8 PEM', async () => {
  await registered()
  const { current } = JSON.parse(await readFile(file(), 'utf8')) as {
    current: { keys: { privateKey: string }; certificate: string }
  }
  expect(current.keys.privateKey).toMatch(/^-----BEGIN PRIVATE KEY-----\n/)
  expect(current.certificate).toMatch(/^-----BEGIN CERTIFICATE-----\n/)
})

describe('refuses', () => {
  const invalid = { code: 'ERR_CONFIGURATION_INVALID' }

  test.each([0o640, 0o604, 0o620])('a file of mode %o', async (mode) => {
    await registered()
    await chmod(file(), mode)
    await expect(store().load()).rejects.toMatchObject({ ...invalid, path: file() })
  })

  test.each([0o750, 0o701])('a directory of mode %o', async (mode) => {
    await mkdir(directory)
    await chmod(directory, mode)
    await expect(store().load()).rejects.toMatchObject({ ...invalid, path: directory })
    await expect(store().save({})).rejects.toMatchObject(invalid)
  })

  test.each(['', '{', '[]', '{"version":2}', '{"version":1,"current":{}}'])(
    'a file that says %j, without quoting it',
    async (text) => {
      await mkdir(directory, { mode: 0o700 })
      await writeFile(file(), text, { mode: 0o600 })
      await expect(store().load()).rejects.toMatchObject(invalid)
    },
  )

  test('a key that is none', async () => {
    await registered()
    const text = await readFile(file(), 'utf8')
    await writeFile(
      file(),
      text.replace(/BEGIN PRIVATE KEY-----\\n.{8}/, 'BEGIN PRIVATE KEY-----\\nAAAAAAAA'),
    )
    await expect(store().load()).rejects.toMatchObject({ ...invalid, path: file() })
  })

  test('a file that is a link', async () => {
    await registered()
    const elsewhere = join(base, 'elsewhere.json')
    await writeFile(elsewhere, await readFile(file()), { mode: 0o600 })
    await rm(file())
    await symlink(elsewhere, file())
    await expect(store().load()).rejects.toMatchObject({ ...invalid, path: file() })
  })
})

test('a crash while writing leaves what was there before', async () => {
  const identity = await registered()
  const draft = `${file()}.0.new`
  await writeFile(draft, '{"version":1,"curr', { mode: 0o644 })
  // Long ago: what is written now may be another process's.
  await utimes(draft, 0, 0)
  expect((await store().load()).current?.connectorId).toBe(identity.connectorId)
  await store().save(await store().load())
  expect(await readdir(directory)).toEqual(['identity.json'])
  expect((await stat(file())).mode & 0o777).toBe(0o600)
})
