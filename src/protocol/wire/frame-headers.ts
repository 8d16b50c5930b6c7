/**
 * What the header of each frame may say: whose frame it is, on which number, which flags mean
 * something, and how long its payload may be.
 *
 * @see spec/PROTOCOL.md, "Frames"
 * @module
 */
import { FrameFlag, FrameType } from './frame-types.ts'
import { MAX_CONTROL_BYTES, MAX_DATA_BYTES, MAX_HEAD_BYTES } from './limits.ts'

/** The header of one type of frame. */
export interface FrameHeaderRule {
  /** Who says it. */
  readonly by: 'connector' | 'cloud' | 'both'
  /** `link`: number 0; `exchange`: the number of one; `either`: it means something on both. */
  readonly on: 'link' | 'exchange' | 'either'
  /** Flags with a meaning; all others are ignored. */
  readonly flags: number
  /** The longest payload. DATA's is the most that may be agreed on. */
  readonly mostBytes: number
}

const { END, ACK } = FrameFlag
const [HEAD, SMALL] = [MAX_HEAD_BYTES, MAX_CONTROL_BYTES]

/** A row for each type of frame. */
// prettier-ignore
export const FRAME_HEADERS: Readonly<Record<keyof typeof FrameType, FrameHeaderRule>> = {
  HELLO:         { by: 'connector', on: 'link',     flags: 0,   mostBytes: HEAD },
  WELCOME:       { by: 'cloud',     on: 'link',     flags: 0,   mostBytes: HEAD },
  OFFER:         { by: 'cloud',     on: 'link',     flags: 0,   mostBytes: HEAD },
  CLAIM:         { by: 'connector', on: 'exchange', flags: 0,   mostBytes: SMALL },
  CONFIRM:       { by: 'cloud',     on: 'exchange', flags: 0,   mostBytes: SMALL },
  DECLINE:       { by: 'connector', on: 'link',     flags: 0,   mostBytes: SMALL },
  CREDIT:        { by: 'both',      on: 'either',   flags: 0,   mostBytes: SMALL },
  DATA:          { by: 'both',      on: 'exchange', flags: END, mostBytes: MAX_DATA_BYTES },
  RESPONSE:      { by: 'connector', on: 'exchange', flags: END, mostBytes: HEAD },
  INFORMATIONAL: { by: 'connector', on: 'exchange', flags: 0,   mostBytes: HEAD },
  TRAILERS:      { by: 'both',      on: 'exchange', flags: END, mostBytes: HEAD },
  STOP:          { by: 'both',      on: 'exchange', flags: 0,   mostBytes: SMALL },
  RESET:         { by: 'both',      on: 'either',   flags: 0,   mostBytes: SMALL },
  PING:          { by: 'both',      on: 'link',     flags: ACK, mostBytes: SMALL },
  DRAIN:         { by: 'both',      on: 'link',     flags: 0,   mostBytes: SMALL },
  CONFIGURATION: { by: 'cloud',     on: 'link',     flags: 0,   mostBytes: SMALL },
}

/** The types that whoever does not know them skips; every other unknown type ends the link. */
export const IGNORABLE_TYPES = { first: 0x40, last: 0x7f } as const

/** The rule of each octet that is a type. Read for every frame, so a list and no map. */
const BY_OCTET: readonly (FrameHeaderRule | undefined)[] = Array.from({ length: 256 }, (_, octet) =>
  Object.entries(FRAME_HEADERS)
    .filter(([name]) => FrameType[name as keyof typeof FrameType] === octet)
    .map(([, rule]) => rule)
    .at(0),
)

/** What its header may say; `undefined` for an octet that is no type. */
export function headerRule(octet: number): FrameHeaderRule | undefined {
  return BY_OCTET[octet]
}

/** Whether a type that is not known may be skipped. */
export function isIgnorable(octet: number): boolean {
  return octet >= IGNORABLE_TYPES.first && octet <= IGNORABLE_TYPES.last
}

/** The longest payload of a type, known or ignorable. */
export function mostBytes(octet: number): number {
  return BY_OCTET[octet]?.mostBytes ?? MAX_CONTROL_BYTES
}
