/**
 * Which versions are a tenant's, and which of them is the one before.
 *
 * @module
 */
import type { VersionHead } from './configuration-store.ts'

/** A tenant's id; absent: the whole. */
export type Scope = string | undefined

/** The version that last changed something of the scope; 0: there is none of it. */
export function scopedNumber({ number, tenants }: VersionHead, scope: Scope): number {
  if (scope === undefined) return number
  return Object.hasOwn(tenants, scope) ? tenants[scope]! : 0
}

/** Those that changed something of the scope. */
export function versionsOf(heads: readonly VersionHead[], scope: Scope): readonly VersionHead[] {
  return heads.filter((head) => scopedNumber(head, scope) === head.number)
}

/**
 * The version to go back to: `to`, or the one before what is in force. What was put back counts
 * as what it was put back from, so that going back twice goes two back.
 *
 * @param heads the newest first
 */
export function earlierVersion(
  heads: readonly VersionHead[],
  scope: Scope,
  to: number | undefined,
): VersionHead | undefined {
  const own = versionsOf(heads, scope)
  if (to !== undefined) return own.find(({ number }) => number === to)
  if (heads[0] === undefined) return undefined
  const origin = originOf(heads, scopedNumber(heads[0], scope), scope)
  return own.find(({ number }) => number < origin)
}

/** Restored versions are older than what restores them: this ends. */
function originOf(heads: readonly VersionHead[], number: number, scope: Scope): number {
  const restored = heads.find((head) => head.number === number)?.restored
  const source = heads.find((head) => head.number === restored)
  return source === undefined ? number : originOf(heads, scopedNumber(source, scope), scope)
}
