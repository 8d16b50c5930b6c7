/**
 * Which of two greetings is of the later link: a run of a connector numbers the links that it opens
 * one after another, and the later one takes the place of the earlier, whatever binding it uses.
 *
 * @see spec/PROTOCOL.md, "Links"
 * @module
 */
import type { Hello } from '../wire/frame-types.ts'

/**
 * What `other` is, seen from a link that was greeted with `held`: its `successor`; `earlier`, a
 * latecomer that changes nothing; the `same` link; or `unrelated`.
 */
export type Succession = 'successor' | 'earlier' | 'same' | 'unrelated'

export function succession(
  held: Pick<Hello, 'run' | 'index' | 'epoch'>,
  other: Pick<Hello, 'run' | 'index' | 'epoch'>,
): Succession {
  if (held.run !== other.run || held.index !== other.index) return 'unrelated'
  if (held.epoch === other.epoch) return 'same'
  return held.epoch < other.epoch ? 'successor' : 'earlier'
}
