/**
 * Files that hold secrets, and the directories they are in: read and written here and nowhere else.
 *
 * A secret that others can read is none any more, and a file that others can write says what they
 * want: both are refused, with what to do about it, and nothing is mended silently. Where the
 * system has no owners and modes (Windows), the directory's access list is the guard.
 *
 * @module
 */
import { constants, type Stats } from 'node:fs'
import {
  link,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  stat,
  unlink,
  type FileHandle,
} from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { basename, dirname, join } from 'node:path'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'

const OTHERS = 0o077
const OTHERS_WRITE = 0o022
const STICKY = 0o1000
const DRAFT = '.new'
/** Nobody writes so long. */
const ABANDONED_MS = 10 * 60_000
const hasModes = process.platform !== 'win32'

/** Options of {@link readPrivateFile}. */
export interface PrivateFileOptions {
  /**
   * Whether the path may be a symbolic link, as where secrets are mounted into a container; what it
   * leads to is held to the same rules. Default false: a file that this library wrote is none.
   */
  readonly mayBeLink?: boolean
}

/**
 * The text of a file that holds a secret; `undefined` if there is none. Checked through its handle,
 * so what is checked is what is read.
 *
 * @throws ConfigurationInvalid when group or others have any right to it, it belongs to another
 *   user (root excepted), is no file, or is a link and may be none, or when others
 *   may write to its directory
 */
export async function readPrivateFile(
  path: string,
  { mayBeLink = false }: PrivateFileOptions = {},
): Promise<string | undefined> {
  const noFollow = mayBeLink ? 0 : (constants.O_NOFOLLOW ?? 0)
  let file: FileHandle
  try {
    // A pipe would be waited for.
    file = await open(path, constants.O_RDONLY | noFollow | (constants.O_NONBLOCK ?? 0))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new ConfigurationInvalid(path, UNREADABLE[code ?? ''] ?? `cannot be read (${code})`)
  }
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw new ConfigurationInvalid(path, 'is not a file')
    refuseOwner(path, stats)
    refuseMode(path, stats, OTHERS, 'holds a secret: only its owner may have rights to it', '600')
    if (!mayBeLink) await checkDirectory(dirname(path))
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

const UNREADABLE: Readonly<Record<string, string>> = {
  ELOOP: 'is a symbolic link: give the path of the file itself',
  EACCES: 'may not be read by this process: it must belong to the user that runs it',
  EISDIR: 'is not a file',
  ENOTDIR: 'is not below a directory',
}

/**
 * Makes a directory for secrets, mode 0700, if there is none; its missing parents too.
 *
 * @throws ConfigurationInvalid when group or others have any right to one that is there, it belongs
 *   to another user (root excepted), or is no directory but a link or a file
 */
export async function preparePrivateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ConfigurationInvalid(path, `cannot be made (${code})`, { cause })
  }
  const stats = await lstat(path)
  if (stats.isSymbolicLink())
    throw new ConfigurationInvalid(path, 'is a symbolic link: give the path that it leads to')
  if (!stats.isDirectory()) throw new ConfigurationInvalid(path, 'is not a directory')
  refuseOwner(path, stats)
  refuseMode(path, stats, OTHERS, 'holds secrets: only its owner may have rights to it', '700')
}

/**
 * Replaces a file of mode 0600, or makes it: after a crash it is the one before or this one, and
 * when the promise resolves it is this one for good.
 */
export async function replacePrivateFile(path: string, text: string): Promise<void> {
  await placed(path, text, (draft) => rename(draft, path))
}

/**
 * Makes a file of mode 0600 that is there whole or not at all, and leaves one that is there already
 * as it is. Resolves with whether it was made.
 */
export async function createPrivateFile(path: string, text: string): Promise<boolean> {
  let isMade = true
  await placed(path, text, async (draft) => {
    await link(draft, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
      isMade = false
    })
    await unlink(draft)
  })
  return isMade
}

/** A lock whose process died is taken from it after so long. */
const LOCK_MS = 10_000
const LOCK_RETRY_MS = 20

/**
 * Does `work` while no other process that asks so for this path does. What it writes must be
 * written within 10 s.
 *
 * @throws ConfigurationInvalid when another process holds the lock for 20 s
 */
export async function withFileLocked<T>(path: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const lock = `${path}.lock`
  const giveUpAt = performance.now() + 2 * LOCK_MS
  while (!(await isLocked(lock))) {
    if (performance.now() > giveUpAt)
      throw new ConfigurationInvalid(path, `another process holds ${lock}`)
    await new Promise((later) => setTimeout(later, LOCK_RETRY_MS))
  }
  try {
    return await work()
  } finally {
    await unlink(lock).catch(() => undefined)
  }
}

/** Whether the lock is ours now. */
async function isLocked(lock: string): Promise<boolean> {
  try {
    await (await open(lock, 'wx', 0o600)).close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const stats = await lstat(lock).catch(() => undefined)
    if (stats !== undefined && stats.mtimeMs < Date.now() - LOCK_MS)
      await unlink(lock).catch(() => undefined)
    return false
  }
}

/**
 * Calls `changed` after the file was replaced, made or removed, whoever did it, and once at first;
 * returns the end of it. Looks every so often, for what systems tell of files differs; keeps no
 * process alive. Of a link that may be one, what it leads to is looked at.
 */
export function watchFile(
  path: string,
  everyMs: number,
  changed: () => void,
  { mayBeLink = false }: PrivateFileOptions = {},
): () => void {
  let before: string | undefined
  let isLooking = false
  const look = async (): Promise<void> => {
    if (isLooking) return
    isLooking = true
    const looked = (mayBeLink ? stat : lstat)(path, { bigint: true })
    const stats = await looked.catch(() => undefined)
    isLooking = false
    const now = stats === undefined ? 'none' : `${stats.ino} ${stats.ctimeNs} ${stats.size}`
    // It may have been replaced between being read and the first look.
    if (now === before) return
    before = now
    changed()
  }
  const looking = setInterval(() => void look(), everyMs).unref()
  return () => clearInterval(looking)
}

/** Written beside it and on disk before it takes the name, and the name on disk before the end. */
async function placed(
  path: string,
  text: string,
  place: (draft: string) => Promise<void>,
): Promise<void> {
  const directory = dirname(path)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await checkDirectory(directory)
  await sweep(path)
  const draft = `${path}.${randomUUID()}${DRAFT}`
  const file = await open(draft, 'wx', 0o600)
  try {
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await place(draft)
  } catch (error) {
    await unlink(draft).catch(() => undefined)
    throw error
  }
  await syncDirectory(directory)
}

/** Drafts that a crash left hold secrets as well. Those of now may be another process's. */
async function sweep(path: string): Promise<void> {
  const [directory, name] = [dirname(path), `${basename(path)}.`]
  for (const other of await readdir(directory)) {
    if (!other.startsWith(name) || !other.endsWith(DRAFT)) continue
    const draft = join(directory, other)
    const stats = await lstat(draft).catch(() => undefined)
    if (stats !== undefined && stats.mtimeMs < Date.now() - ABANDONED_MS)
      await unlink(draft).catch(() => undefined)
  }
}

async function syncDirectory(path: string): Promise<void> {
  if (!hasModes) return
  const directory = await open(path, constants.O_RDONLY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/**
 * Whoever may write to a directory, or to what a link to it leads to, may put another file in the
 * place of ours. In one like `/tmp` only its owner may.
 */
async function checkDirectory(path: string): Promise<void> {
  const stats = await stat(path)
  if ((stats.mode & STICKY) !== 0) return
  refuseOwner(path, stats)
  refuseMode(path, stats, OTHERS_WRITE, 'holds a secret: others may not write to it', '700')
}

function refuseOwner(path: string, { uid }: Stats): void {
  const ours = process.getuid?.()
  if (ours === undefined || uid === ours || uid === 0) return
  throw new ConfigurationInvalid(
    path,
    `belongs to another user (${uid}): it must belong to the user that runs this process (${ours})`,
  )
}

function refuseMode(path: string, { mode }: Stats, bits: number, rule: string, mend: string): void {
  if (!hasModes || (mode & bits) === 0) return
  const found = (mode & 0o777).toString(8).padStart(4, '0')
  throw new ConfigurationInvalid(path, `${rule} (its mode is ${found}: chmod ${mend})`)
}
