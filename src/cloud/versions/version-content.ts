/**
 * What a version says, and what another one would.
 *
 * @module
 */
import { readDirectory } from '../directory/directory-configuration.ts'
import type { VersionHead } from './configuration-store.ts'
import { checkedWith, withKeptSecrets } from './kept-secrets.ts'
import { mergedPart, partMistakes } from './tenant-part.ts'
import { scopedNumber, type Scope } from './version-history.ts'
import {
  isSame,
  partOf,
  tenantIdsOf,
  writtenDirectory,
  type WrittenDirectory,
} from './written-directory.ts'

/** A version and what it says, secrets included. */
export interface ReadVersion {
  readonly head: VersionHead
  readonly content: WrittenDirectory
  /** What it says, with what this program may not know. */
  readonly value: unknown
}

/** The whole that there would be, checked. */
export function checked(value: unknown, whole: WrittenDirectory, scope: Scope): WrittenDirectory {
  const before = scope === undefined ? whole : partOf(whole, scope)
  const { value: completed, mistakes } = withKeptSecrets(value, before)
  const others = scope === undefined ? [] : partMistakes(completed, before, scope)
  const sound = checkedWith(mistakes, () => readDirectory(completed), others)
  const written = writtenDirectory(sound)
  return scope === undefined ? written : mergedPart(whole, scope, written)
}

/** The same, of a tenant its part. */
export function scoped({ head, content }: ReadVersion, scope: Scope): ReadVersion {
  const part = scope === undefined ? content : partOf(content, scope)
  return { head, content: part, value: part }
}

/** By tenant: the number that it had, where nothing of it is other. */
export function lastChanged(
  current: ReadVersion | undefined,
  content: WrittenDirectory,
  number: number,
): Readonly<Record<string, number>> {
  return Object.fromEntries(
    tenantIdsOf(content).map((id) => {
      const before = current && scopedNumber(current.head, id)
      const isOther = !before || !isSame(partOf(current!.content, id), partOf(content, id))
      return [id, isOther ? number : before]
    }),
  )
}

/** Before the first version. */
export const nothingYet = (): ReadVersion => ({
  head: { number: 0, at: 0, by: { as: 'file', name: '' }, tenants: {}, bytes: 0 },
  content: { tenants: [], groups: [], applications: [] },
  value: undefined,
})
