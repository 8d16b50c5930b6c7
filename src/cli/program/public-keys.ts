/**
 * The keys with which applications verify assertions, in a file, for those that cannot fetch them.
 */
import { randomUUID } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'

/** Replaces the file if it says something else: whoever reads it meets the old one or the new. */
export async function writePublicKeys(path: string, keys: object): Promise<void> {
  const text = `${JSON.stringify(keys, undefined, 2)}\n`
  const before = await readFile(path, 'utf8').catch(() => undefined)
  if (before === text) return
  const draft = `${path}.${randomUUID()}.new`
  try {
    await writeFile(draft, text, { flag: 'wx' })
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}
