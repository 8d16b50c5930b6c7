/**
 * One process a state directory: whoever comes second is refused, and told who was first.
 *
 * The lock is a file that is linked into its place whole, so of two that start at once one gets it.
 * It names its holder by process id, and by what tells that process from a later one of the same
 * id: when it was started, since which boot, in which namespace of process ids. A holder that was
 * killed is thus known to be gone, and its lock is taken from it. Only who holds the lock on that
 * stale lock may remove it; it is named by the stale one's random name, so nobody removes a lock
 * that came after the one they looked at.
 *
 * A process in another container cannot be looked up by its id. The holder touches its lock every
 * 5 s; one of another container that was not touched for 15 s is stale. State directories are not
 * shared between machines: a lock of another boot is stale.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import { lstat, readFile, readlink, unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'
import { createPrivateFile, preparePrivateDirectory, readPrivateFile } from './private-files.ts'

const FILE = 'lock'
const TOUCH_MS = 5_000
const UNTOUCHED_MS = 3 * TOUCH_MS
/** No process has this id. */
const NOBODY = -1
/** How long somebody may take to remove a stale lock before they are looked at again. */
const RETRY_MS = 10

/** A state directory that is this process's. */
export interface StateLock {
  /** Lets another process have it. Never rejects. */
  release(): Promise<void>
}

/** Who holds a lock. */
export interface LockHolder {
  readonly pid: number
  /** When the process was started, in clock ticks since the boot; `undefined`: not known. */
  readonly startedAt?: string | undefined
  /** Which boot of the machine that was; `undefined`: not known. */
  readonly boot?: string | undefined
  /** Which namespace the id is of; `undefined`: not known. */
  readonly namespace?: string | undefined
  /** A random name of this lock. */
  readonly name: string
}

/**
 * Makes a state directory this process's, until it is released or the process ends in whichever
 * way. The directory is made if there is none, mode 0700.
 *
 * @throws ConfigurationInvalid when another process has it, naming its id, or this one has it
 *   already; or when the directory is none for secrets
 */
export async function lockStateDirectory(directory: string): Promise<StateLock> {
  await preparePrivateDirectory(directory)
  const path = join(directory, FILE)
  const ours = await thisProcess()
  const holder = await acquire(path, ours)
  if (holder !== ours) throw refused(directory, holder, ours)
  const touching = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => undefined)
  }, TOUCH_MS).unref()
  let released: Promise<void> | undefined
  return {
    release: () =>
      (released ??= (async () => {
        clearInterval(touching)
        await remove(path, ours)
      })()),
  }
}

/** Resolves with who has the lock at `path` now: `ours`, or who had it before and is at work. */
async function acquire(path: string, ours: LockHolder): Promise<LockHolder> {
  while (!(await createPrivateFile(path, JSON.stringify(ours)))) {
    const holder = await read(path)
    if (holder === undefined) continue
    if (await isAlive(path, holder, ours)) return holder
    await removeStale(path, holder, ours)
  }
  return ours
}

/** Removes the lock of a process that is gone, unless somebody else does so now. */
async function removeStale(path: string, stale: LockHolder, ours: LockHolder): Promise<void> {
  const inner = `${path}.${stale.name}`
  if ((await acquire(inner, ours)) === ours) {
    await remove(path, stale)
    await remove(inner, ours)
  } else await new Promise((later) => setTimeout(later, RETRY_MS))
}

/** Removes a lock if it is still that one. */
async function remove(path: string, { name }: LockHolder): Promise<void> {
  const there = await read(path).catch(() => undefined)
  if (there?.name === name) await unlink(path).catch(() => undefined)
}

/** `undefined`: there is none. */
async function read(path: string): Promise<LockHolder | undefined> {
  const text = await readPrivateFile(path)
  if (text === undefined) return undefined
  // What lost its text with the power is nobody's, and can be removed under a name of its own.
  if (text === '') return { pid: NOBODY, name: 'empty' }
  const holder = parse(text)
  if (holder !== undefined) return holder
  throw new ConfigurationInvalid(
    path,
    'is not a lock that this version wrote: remove it if no process uses the directory',
  )
}

function parse(text: string): LockHolder | undefined {
  let value: Partial<Record<string, unknown>> | null
  try {
    value = JSON.parse(text) as typeof value
  } catch {
    return undefined
  }
  const { pid, startedAt, boot, namespace, name } = value ?? {}
  const isWord = (word: unknown) => word === undefined || typeof word === 'string'
  if (!Number.isSafeInteger(pid) || typeof name !== 'string' || !/^[\w-]+$/.test(name))
    return undefined
  if (![startedAt, boot, namespace].every(isWord)) return undefined
  return value as unknown as LockHolder
}

/**
 * Whether the process that holds a lock is still at work. What cannot be told is no reason to take
 * a lock away, unless that would keep it for ever.
 */
async function isAlive(path: string, holder: LockHolder, ours: LockHolder): Promise<boolean> {
  if (holder.pid === NOBODY) return false
  const areKnown = holder.boot !== undefined && ours.boot !== undefined
  if (areKnown && holder.boot !== ours.boot) return false
  if (holder.namespace !== ours.namespace) return wasTouched(path)
  if (holder.startedAt === undefined || ours.startedAt === undefined) return isThere(holder.pid)
  return (await startOf(holder.pid)) === holder.startedAt
}

async function wasTouched(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined)
  return stats !== undefined && Date.now() - stats.mtimeMs < UNTOUCHED_MS
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // It may be another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function thisProcess(): Promise<LockHolder> {
  const [startedAt, boot, namespace] = await Promise.all([
    startOf(process.pid),
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
      (text) => text.trim(),
      () => undefined,
    ),
    readlink('/proc/self/ns/pid').catch(() => undefined),
  ])
  return { pid: process.pid, startedAt, boot, namespace, name: randomUUID() }
}

/** When a process was started, in clock ticks since the boot; `undefined`: it is gone. */
async function startOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  // The second field is the program's name in parentheses, which may hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state] = fields
  // A zombie holds nothing any more.
  return state === 'Z' || state === 'X' ? undefined : fields[19]
}

function refused(directory: string, holder: LockHolder, ours: LockHolder): ConfigurationInvalid {
  const detail =
    holder.namespace !== ours.namespace
      ? `is in use by process ${holder.pid} of another container ` +
        `(if that was killed, it is free ${UNTOUCHED_MS / 1_000} s later)`
      : holder.pid === ours.pid
        ? 'is in use by this process already'
        : `is in use by process ${holder.pid}: two may not share a state directory`
  return new ConfigurationInvalid(directory, detail)
}
