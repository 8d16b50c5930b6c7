import {
  chmod,
  chown,
  link,
  mkdir,
  mkdtemp,
  readdir,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createCertificateAuthority, KeyRing } from '../../../src/cloud/index.ts'
import { authorityFile, keyRingFile } from '../../../src/cloud/node/index.ts'
import { FileIdentityStore } from '../../../src/connector/node/index.ts'
import {
  createPrivateFile,
  preparePrivateDirectory,
  readPrivateFile,
  replacePrivateFile,
} from '../../../src/runtime/node/private-files.ts'

const invalid = { code: 'ERR_CONFIGURATION_INVALID' }
const isRoot = process.getuid?.() === 0
let base: string
let path: string
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'app-proxy-'))
  path = join(base, 'state', 'secret.json')
  await preparePrivateDirectory(join(base, 'state'))
  await replacePrivateFile(path, 'a secret')
})
afterEach(() => rm(base, { recursive: true, force: true }))

/** What is wrong → how it came to be. */
const FAULTS: Readonly<Record<string, () => Promise<void>>> = {
  'read by its group': () => chmod(path, 0o640),
  'read by others': () => chmod(path, 0o604),
  'written by its group': () => chmod(path, 0o620),
  'executed by others': () => chmod(path, 0o601),
  'in a directory that others may write to': () => chmod(join(base, 'state'), 0o777),
  'in a directory that its group may write to': () => chmod(join(base, 'state'), 0o770),
  'reached by a link to a directory that others may write to': async () => {
    await symlink(join(base, 'state'), join(base, 'link'))
    await chmod(join(base, 'state'), 0o777)
    path = join(base, 'link', 'secret.json')
  },
  'a link': async () => {
    await rm(path)
    await writeFile(join(base, 'elsewhere'), 'a secret', { mode: 0o600 })
    await symlink(join(base, 'elsewhere'), path)
  },
  'a link to nothing': async () => {
    await rm(path)
    await symlink(join(base, 'nothing'), path)
  },
  'a directory': async () => {
    await rm(path)
    await mkdir(path, { mode: 0o700 })
  },
  // Only root can give files away; a test that is not root cannot make these.
  ...(isRoot && {
    'of another user': () => chown(path, 1234, 1234),
    'in a directory of another user': () => chown(join(base, 'state'), 1234, 1234),
  }),
}

describe.each(Object.entries(FAULTS))('a secret that is %s', (_, spoil) => {
  beforeEach(spoil)

  test('is not read, whatever it is for', async () => {
    const refused = { ...invalid, message: expect.stringMatching(/chmod|must|give|not|link/) }
    await expect(readPrivateFile(path)).rejects.toMatchObject(refused)
    await expect(KeyRing.open({ store: keyRingFile(path) })).rejects.toMatchObject(refused)
    const store = authorityFile(path)
    await expect(createCertificateAuthority({ store, crypto, clocks })).rejects.toMatchObject(
      refused,
    )
  })
})
const clocks = { now: () => 0, wallClock: () => Date.now() }

test('a key ring file that its group may read is refused, not mended', async () => {
  const store = keyRingFile(join(base, 'state', 'key-ring.json'))
  await KeyRing.open({ store })
  await chmod(join(base, 'state', 'key-ring.json'), 0o644)
  await expect(KeyRing.open({ store })).rejects.toThrow(/its mode is 0644: chmod 600/)
})

test.each([0o777, 0o770, 0o755, 0o750, 0o701])(
  'a directory of mode %o is refused',
  async (mode) => {
    const directory = join(base, 'state')
    await chmod(directory, mode)
    await expect(preparePrivateDirectory(directory)).rejects.toMatchObject({
      ...invalid,
      path: directory,
    })
    await expect(new FileIdentityStore({ directory }).load()).rejects.toMatchObject(invalid)
  },
)

test.each(['a link', 'a file', 'a link to nothing'])(
  '%s in the place of a directory',
  async (what) => {
    const directory = join(base, 'other')
    if (what === 'a file') await writeFile(directory, '')
    else await symlink(join(base, what === 'a link' ? 'state' : 'nothing'), directory)
    await expect(preparePrivateDirectory(directory)).rejects.toMatchObject(invalid)
  },
)

test('nothing is written where others may write', async () => {
  await chmod(join(base, 'state'), 0o733)
  await expect(replacePrivateFile(path, 'another')).rejects.toMatchObject(invalid)
  await expect(createPrivateFile(`${path}.2`, 'another')).rejects.toMatchObject(invalid)
  expect(await readdir(join(base, 'state'))).toEqual(['secret.json'])
})

test('a mounted secret may be a link, and is held to the same rules', async () => {
  const mounted = join(base, 'mounted')
  await symlink(path, mounted)
  expect(await readPrivateFile(mounted, { mayBeLink: true })).toBe('a secret')
  await chmod(path, 0o644)
  await expect(readPrivateFile(mounted, { mayBeLink: true })).rejects.toMatchObject(invalid)
})

test('a file is made once, and a second writer leaves it', async () => {
  const made = join(base, 'state', 'made')
  await Promise.all(['one', 'two', 'three'].map((text) => createPrivateFile(made, text)))
  const first = await readPrivateFile(made)
  await createPrivateFile(made, 'four')
  expect(await readPrivateFile(made)).toBe(first)
  expect((await readdir(join(base, 'state'))).sort()).toEqual(['made', 'secret.json'])
  await link(made, join(base, 'second-name'))
  expect(await readPrivateFile(made)).toBe(first)
})
