/**
 * How many frames of unknown types an end of a link skips.
 *
 * They change nothing, and they are no sign of life. A peer that has nothing else to say is
 * stopped: more than {@link MAX_IGNORED_IN_ROW} one behind the other, or more than a hundredth of
 * what it sends within a minute, is a violation. A link that carries next to nothing has an
 * allowance all the same, else its first such frame would be too many.
 *
 * @see spec/PROTOCOL.md, "What is not known"
 * @module
 */
import { PeerViolation } from '../wire/errors.ts'
import {
  FRAME_HEADER_BYTES,
  IGNORED_ALLOWANCE_BYTES,
  IGNORED_SHARE,
  IGNORED_WINDOW_MS,
  MAX_IGNORED_IN_ROW,
} from '../wire/limits.ts'

/** What is counted. */
interface IgnoredMemory {
  /** Since the last frame of a known type. */
  inRow: number
  /** When the minute began, and the octets since then: all, and those of ignored frames. */
  since: number
  allBytes: number
  ignoredBytes: number
}

/** Counts what one peer sends. */
export class IgnoredFrames {
  readonly memory: IgnoredMemory

  constructor(now: number) {
    this.memory = { inRow: 0, since: now, allBytes: 0, ignoredBytes: 0 }
  }

  /** Octets came, of whatever kind. */
  received(bytes: number, now: number): void {
    const { memory } = this
    if (now - memory.since >= IGNORED_WINDOW_MS) {
      memory.since = now
      memory.allBytes = 0
      memory.ignoredBytes = 0
    }
    memory.allBytes += bytes
  }

  /** A frame of a known type came. */
  known(): void {
    this.memory.inRow = 0
  }

  /**
   * A frame with a payload of `length` octets is skipped.
   *
   * @throws PeerViolation `IGNORED_EXCEEDED`
   */
  skipped(length: number): void {
    const { memory } = this
    memory.inRow += 1
    memory.ignoredBytes += FRAME_HEADER_BYTES + length
    if (memory.inRow > MAX_IGNORED_IN_ROW)
      throw new PeerViolation('IGNORED_EXCEEDED', `${memory.inRow} unknown frames in a row`)
    const most = Math.max(IGNORED_ALLOWANCE_BYTES, memory.allBytes * IGNORED_SHARE)
    if (memory.ignoredBytes > most)
      throw new PeerViolation(
        'IGNORED_EXCEEDED',
        `${memory.ignoredBytes} octets of unknown frames within a minute (at most ${most})`,
      )
  }
}
