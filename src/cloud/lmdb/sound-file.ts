/**
 * Looks at an LMDB file before this process maps it: LMDB trusts what it maps, and a damaged file
 * ends the process without a word.
 *
 * First what can be told from its two meta pages: that they are LMDB's, fit each other, and that
 * the file is as long as they say. Then its pages, those of the list of free pages as well: a
 * process that only reads never comes to them. Then a child process opens it and reads every
 * record, whose checksums must be right; where the child is the one that ends, the file is refused.
 * Each value carries a CRC-32 that is looked at whenever it is read.
 *
 * What is not found: damage to pages that are free, which nobody reads, and damage that comes while
 * the file is open.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { closeSync, fstatSync, lstatSync, openSync, readSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { deserialize, serialize } from 'node:v8'
import { crc32 } from 'node:zlib'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'
import { areTreesSound, NO_PAGE, type Snapshot } from './page-trees.ts'

const REMEDY = 'stop every process that uses it, and restore it from a backup or move it away'
const META = { header: 24, bytes: 160 }
const MAGIC = 0xbeefc0de
const MAX_BYTES = 2n ** 44n
const MAX_DEPTH = 32
/** Of free pages, and of the tables. */
const TABLES_AT = [48, 96] as const
/** Far longer than any file takes, also where the machine has other work to do. */
const CHECK_MS = 120_000
/** What ends a process whose memory is not what it takes it for. */
const CRASHES: readonly unknown[] = ['SIGSEGV', 'SIGBUS', 'SIGABRT', 'SIGILL', 'SIGFPE', 'SIGTRAP']
/**
 * Looks at the pages while another process writes: then those of a snapshot are used for the next
 * but one.
 */
const LOOKS = 5

/** By path: the files that were found sound, and are not open yet. */
const looked = new Set<string>()

/**
 * Refuses files that are not sound; those that are not there yet are. One child process looks at
 * all of them, and whoever opens one of them next does not look again: a cloud opens several.
 *
 * @throws ConfigurationInvalid with the file's name and what to do
 */
export function checkLmdbFiles(paths: readonly string[]): void {
  const there = paths.filter(isThere)
  checkChild(there)
  for (const path of there) looked.add(path)
}

/**
 * Refuses a file that is not sound; one that is not there yet is.
 *
 * @throws ConfigurationInvalid with the file's name and what to do
 */
export function checkSoundFile(path: string): void {
  if (!looked.delete(path) && isThere(path)) checkChild([path])
}

/** Whether there is such a file. Its pages are looked at. */
function isThere(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return false
  if (!stats.isFile()) throw refused(path, 'is not a file')
  let file: number
  try {
    file = openSync(path, 'r+')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new ConfigurationInvalid(path, `cannot be read and written by this process (${code})`)
  }
  try {
    const fault = fileFault(file, stats.size)
    if (fault !== undefined) throw refused(path, `is not a sound LMDB file (${fault})`)
  } finally {
    closeSync(file)
  }
  return true
}

const refused = (path: string, fault: string) =>
  new ConfigurationInvalid(path, `${fault}: ${REMEDY}`)

interface Meta extends Snapshot {
  readonly transaction: number
}

function fileFault(file: number, size: number): string | undefined {
  let meta = newestMeta(file, size)
  for (let looks = 0; looks < LOOKS; looks++) {
    if (typeof meta === 'string') return meta
    if (areTreesSound((position, octets) => octetsAt(file, position, octets), meta))
      return undefined
    const { transaction } = meta
    meta = newestMeta(file, fstatSync(file).size)
    if (typeof meta !== 'string' && meta.transaction === transaction) return 'a page is damaged'
  }
  return undefined
}

function octetsAt(file: number, position: number, octets: number): Buffer {
  const buffer = Buffer.alloc(octets)
  return buffer.subarray(0, readSync(file, buffer, 0, octets, position))
}

function newestMeta(file: number, size: number): Meta | string {
  const first = metaAt(file, 0)
  if (typeof first === 'string') return first
  const second = metaAt(file, first.pageSize)
  if (typeof second === 'string') return second
  if (second.pageSize !== first.pageSize) return 'its meta pages differ'
  if (Math.abs(first.transaction - second.transaction) > 1) return 'its meta pages differ'
  const newest = first.transaction > second.transaction ? first : second
  return size < (newest.lastPage + 1) * first.pageSize ? 'it is cut off' : newest
}

function metaAt(file: number, at: number): Meta | string {
  const page = octetsAt(file, at, META.bytes)
  if (page.length < META.bytes) return 'it is cut off'
  if (page.readUInt32LE(META.header) !== MAGIC) return 'a meta page is not LMDB’s'
  const pageSize = page.readUInt32LE(48)
  if (pageSize < 256 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0)
    return 'a meta page is damaged'
  // Nobody asks for a fixed address, and no file is that large.
  const [address, mapSize] = [page.readBigUInt64LE(32), page.readBigUInt64LE(40)]
  if (address !== 0n || mapSize === 0n || mapSize > MAX_BYTES) return 'a meta page is damaged'
  const lastPage = Number(page.readBigUInt64LE(144))
  const roots = TABLES_AT.map((table) => page.readBigUInt64LE(table + 40))
  const isDamaged =
    roots.some((root) => root !== NO_PAGE && root > lastPage) ||
    TABLES_AT.some((table) => page.readUInt16LE(table + 6) > MAX_DEPTH) ||
    // Ours has no particular order, nor several values of a key.
    page.readUInt16LE(TABLES_AT[1] + 4) !== 0
  if (isDamaged) return 'a meta page is damaged'
  const [free, tables] = roots as [bigint, bigint]
  const transaction = Number(page.readBigUInt64LE(152))
  return { pageSize, lastPage, roots: [free, tables], transaction }
}

/**
 * Runs in the child, without this library: opens each file, reads all of it, and says what is
 * wrong, or a line for each that is sound.
 */
const WALK = `
const [lmdb, ...paths] = process.argv.slice(1)
const { crc32 } = await import('node:zlib')
const { open } = await import(lmdb)
for (const path of paths) {
  const root = open({ path, noSubdir: true, readOnly: true, maxDbs: 32 })
  const tables = [...root.getKeys()].map((name) => ({ name, table: root.openDB({ name, encoding: 'binary' }) }))
  for (const { name, table } of tables)
    for (const { value } of table.getRange())
      if (value.length < 4 || value.readUInt32LE(0) !== crc32(value.subarray(4))) {
        console.log('a record in "' + name + '" is not as it was written')
        process.exit(3)
      }
  console.log('sound')
}
process.exit(0)
`

function checkChild(paths: readonly string[]): void {
  if (paths.length === 0) return
  const lmdb = pathToFileURL(createRequire(import.meta.url).resolve('lmdb')).href
  const arguments_ = ['--input-type=module', '-e', WALK, lmdb, ...paths]
  const { stdout, status, signal, error } = spawnSync(process.execPath, arguments_, {
    timeout: CHECK_MS,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
  })
  const lines = (stdout ?? '').split('\n').slice(0, -1)
  const sound = lines.filter((line) => line === 'sound').length
  if (status === 0 && sound === paths.length) return
  // It looks at one after the other: it came to an end at the first that is not sound.
  const path = paths[Math.min(sound, paths.length - 1)]!
  if (status === 3) throw refused(path, `is not a sound LMDB file (${lines.at(-1)})`)
  // Nothing is known of the file: nobody must be told to throw it away.
  if (error !== undefined || (signal !== null && !CRASHES.includes(signal)))
    throw new ConfigurationInvalid(
      path,
      `could not be looked at (${causeOf(error, signal)}), and may be sound: start again`,
    )
  const end = `a process that read it ended with ${signal ?? `code ${status}`}`
  throw refused(path, `is not a sound LMDB file (${end})`)
}

function causeOf(error: Error | undefined, signal: NodeJS.Signals | null): string {
  const { code } = (error ?? {}) as NodeJS.ErrnoException
  if (code === 'ETIMEDOUT') return `nothing came of it in ${CHECK_MS / 1_000} s`
  return code === undefined ? `it was ended by ${signal}` : `no process could be started: ${code}`
}

/** A value as it is stored: CRC-32, then what `node:v8` makes of it. */
export function sealedValue(value: unknown): Buffer {
  const octets = serialize(value)
  const sum = Buffer.alloc(4)
  sum.writeUInt32LE(crc32(octets))
  return Buffer.concat([sum, octets])
}

/**
 * The value again.
 *
 * @throws ConfigurationInvalid when it is not as it was written
 */
export function openedValue(path: string, stored: Uint8Array): unknown {
  const octets = Buffer.from(stored.buffer, stored.byteOffset, stored.length)
  if (octets.length < 4 || octets.readUInt32LE(0) !== crc32(octets.subarray(4)))
    throw new ConfigurationInvalid(path, `a record is not as it was written: ${REMEDY}`)
  return deserialize(octets.subarray(4))
}
