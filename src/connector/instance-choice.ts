/**
 * Which of the listed instances a connector keeps links to: all of them up to a number, then a
 * subset that stays the same while the list does, and changes by as little as it can.
 *
 * Rendezvous hashing: each pair of connector and instance has a weight, and the heaviest are
 * chosen. An instance that leaves is replaced by one other; one that comes takes the place of one,
 * or of none. Different connectors choose differently, so each instance gets its part of them.
 *
 * @see spec/PROTOCOL.md, "Configuration"
 * @module
 */

/** So many instances are dialled unless told otherwise. */
export const DEFAULT_INSTANCES = 8

/**
 * The instances that a connector dials, in the order in which they are listed.
 *
 * @param most at most so many, at least 1
 */
export function chosenInstances(
  connectorId: string,
  listed: readonly string[],
  most: number,
): readonly string[] {
  if (listed.length <= most) return listed
  const weighed = listed.map((instance) => ({ instance, weight: weightOf(connectorId, instance) }))
  // Equal weights are told apart by name: the order of the list changes nothing.
  weighed.sort((a, b) => b.weight - a.weight || (a.instance < b.instance ? -1 : 1))
  const chosen = new Set(weighed.slice(0, most).map(({ instance }) => instance))
  return listed.filter((instance) => chosen.has(instance))
}

/** 32 bits of both names: FNV-1a, then the finalizer of MurmurHash3 so that each bit counts. */
function weightOf(connectorId: string, instance: string): number {
  let hash = 0x811c9dc5
  // The length tells where the first name ends.
  for (const text of [String(connectorId.length), connectorId, instance])
    for (let i = 0; i < text.length; i++)
      hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
