import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openLmdbRegistry, openLmdbRevocations } from '../../../src/cloud/lmdb/index.ts'
import { descendantsOf } from '../../examples/demo-process.ts'
import { until } from '../../until.ts'

let base: string
let sound: string
let path: string
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'app-proxy-'))
  sound = join(base, 'sound.lmdb')
  path = join(base, 'revocations.lmdb')
  const revocations = openLmdbRevocations({ path: sound })
  for (let i = 0; i < 200; i++)
    await revocations.revoke({
      kind: 'session',
      id: `session-${i}-${'x'.repeat(200)}`,
      at: Date.now(),
    })
  await revocations.close()
})
afterAll(() => rm(base, { recursive: true, force: true }))

const open = () => openLmdbRevocations({ path })
async function damaged(change: (octets: Buffer) => Buffer): Promise<void> {
  await rm(path, { recursive: true, force: true })
  await writeFile(path, change(await readFile(sound)))
}
const refused = { code: 'ERR_CONFIGURATION_INVALID' }

test('a sound file is opened, and so is one that is not there', async () => {
  await copyFile(sound, path)
  const revocations = open()
  expect(revocations.version).toBe(200)
  await revocations.close()
  const registry = openLmdbRegistry({ path: join(base, 'new.lmdb') })
  expect(await registry.list('contoso')).toEqual([])
  await registry.close()
})

/** Where the page is that the newer meta page names: the root of the free pages, or of the tables. */
function rootAt(octets: Buffer, of: 'free' | 'tables'): number {
  const isFirst = octets.readBigUInt64LE(152) > octets.readBigUInt64LE(4096 + 152)
  return 4096 * Number(octets.readBigUInt64LE((isFirst ? 0 : 4096) + (of === 'free' ? 88 : 136)))
}

const ROWS: Readonly<Record<string, (octets: Buffer) => Buffer>> = {
  hello: () => Buffer.from('hello\n'),
  nothing: () => Buffer.alloc(0),
  zeros: (octets) => Buffer.alloc(octets.length),
  'zeros behind its meta pages': (octets) => octets.fill(0, 8192),
  'one page': (octets) => octets.subarray(0, 4096),
  'two pages': (octets) => octets.subarray(0, 8192),
  'all but its last octet': (octets) => octets.subarray(0, -1),
  'half of it': (octets) => octets.subarray(0, octets.length / 2),
  'an older meta page in the place of the newer': (octets) => {
    const isFirst = octets.readBigUInt64LE(152) > octets.readBigUInt64LE(4096 + 152)
    octets.writeBigUInt64LE(1n, isFirst ? 152 : 4096 + 152)
    return octets
  },
  'anything in the place of the free pages’ list': (octets) => {
    const at = rootAt(octets, 'free')
    return octets.fill(0xff, at + 16, at + 4096)
  },
  'the kind of the free pages’ list': (octets) => {
    octets[rootAt(octets, 'free') + 18]! ^= 3
    return octets
  },
  'how many free pages there are': (octets) => {
    const at = rootAt(octets, 'free')
    const node = at + 24 + octets.readUInt16LE(at + 24)
    octets.writeUInt32LE(1_000_000, node + 8 + octets.readUInt16LE(node + 6))
    return octets
  },
  'where the free space of a page is': (octets) => {
    octets.writeUInt16LE(4096 - 24, rootAt(octets, 'tables') + 22)
    return octets
  },
  'the order of a table': (octets) => {
    const isFirst = octets.readBigUInt64LE(152) > octets.readBigUInt64LE(4096 + 152)
    octets.writeUInt16LE(0xff, (isFirst ? 0 : 4096) + 100)
    return octets
  },
  'one bit of a record': (octets) => {
    octets[octets.lastIndexOf('xxxxxxxx')]! ^= 1
    return octets
  },
}

test.each(Object.entries(ROWS))('%s is refused with its name and what to do', async (_, change) => {
  await damaged(change)
  expect(open).toThrow(expect.objectContaining({ ...refused, path }))
  expect(open).toThrow(/restore it from a backup/)
})

test('cut off at any page, it is refused', async () => {
  const pages = (await readFile(sound)).length / 4096
  for (let page = 0; page < pages; page += Math.ceil(pages / 12)) {
    await damaged((octets) => octets)
    await truncate(path, page * 4096)
    expect(open, `${page}`).toThrow(expect.objectContaining(refused))
  }
})

test('flips in its meta pages end nobody: it is refused, or opened', async () => {
  for (let at = 0; at < 160; at += 13) {
    await damaged((octets) => {
      octets[at]! ^= 0xff
      octets[4096 + at]! ^= 0xff
      return octets
    })
    try {
      await open().close()
    } catch (error) {
      expect(error, `${at}`).toMatchObject(refused)
    }
  }
})

test('a page with a damaged header ends nobody who writes: it is refused, or free', async () => {
  const pages = (await readFile(sound)).length / 4096
  let refusals = 0
  for (let page = 2; page < pages; page++) {
    await damaged((octets) => octets.fill(0xa5, page * 4096 + (page % 3) * 8, page * 4096 + 24))
    try {
      const revocations = open()
      for (let i = 0; i < 50; i++)
        await revocations.revoke({ kind: 'session', id: `${i}${'y'.repeat(200)}`, at: Date.now() })
      await revocations.close()
    } catch (error) {
      expect(error, `${page}`).toMatchObject(refused)
      refusals += 1
    }
  }
  expect(refusals).toBeGreaterThan(pages / 3)
})

test('a directory is refused', async () => {
  await rm(path, { force: true })
  await mkdir(path)
  expect(open).toThrow(expect.objectContaining(refused))
  expect(() => openLmdbRegistry({ path })).toThrow(expect.objectContaining(refused))
  await chmod(path, 0o700)
})

test('a look that is ended from outside says so, and that the file may be sound', async () => {
  await damaged((octets) => octets)
  const module = new URL('../../../src/cloud/lmdb/index.ts', import.meta.url).href
  const script = `
    const { openLmdbRevocations } = await import(${JSON.stringify(module)})
    for (let i = 0; i < 50; i++) await openLmdbRevocations({ path: ${JSON.stringify(path)} }).close()`
  const opening = spawn(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', script],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let said = ''
  opening.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const ended = once(opening, 'close')
  // It opens the file again and again: one of its looks is met.
  await until(() => {
    const look = descendantsOf(opening.pid!).find(({ command }) => command.includes(path))
    if (look !== undefined) process.kill(look.pid, 'SIGTERM')
    return look !== undefined
  }, 90_000)
  await ended
  expect(said).toContain('revocations.lmdb: could not be looked at (it was ended by SIGTERM)')
  expect(said).not.toContain('move it away')
}, 120_000)
