/**
 * Link frames on the wire: `length u24 | type u8 | flags u8 | number u32`, big endian, then
 * `length` octets of payload. HTTP/2 readers know the layout (RFC 9113, section 4.1).
 *
 * DATA payloads are handed through as they arrive and never copied; every other payload is small
 * and assembled. What is too large is refused from the header, before one octet of it is kept.
 *
 * Flags without a meaning on their frame type are ignored (RFC 9113 does the same), so that later
 * versions may define them.
 *
 * @see spec/PROTOCOL.md, "Frames"
 * @module
 */
import { ApiMisuse, PeerViolation } from './errors.ts'
import { headerRule, isIgnorable, mostBytes } from './frame-headers.ts'
import { FrameFlag, FrameType } from './frame-types.ts'
import { DATA_BYTES, FRAME_HEADER_BYTES } from './limits.ts'

/** A frame header alone: for DATA, whose payload the transport sends apart, without a copy. */
export function frameHeader(
  type: FrameType,
  flags: number,
  number: number,
  length: number,
): Uint8Array {
  const header = new Uint8Array(FRAME_HEADER_BYTES)
  writeFrameHeader(header, 0, type, flags, number, length)
  return header
}

/** A whole frame in one buffer. */
export function encodeFrame(
  type: number,
  flags: number,
  number: number,
  payload: Uint8Array = EMPTY,
): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + payload.length)
  writeFrameHeader(frame, 0, type, flags, number, payload.length)
  frame.set(payload, FRAME_HEADER_BYTES)
  return frame
}

/** What a {@link FrameReader} finds. What it throws goes through `push`. */
export interface FrameSink {
  /**
   * Every frame but DATA, whole. `payload` may be part of the pushed chunk: read it before
   * returning, or copy it.
   */
  frame(type: FrameType, flags: number, number: number, payload: Uint8Array): void
  /**
   * The next octets of a DATA frame, part of the pushed chunk. A frame that the transport split
   * comes in several calls; `end` is true only with the last octets of a frame that carries END. An
   * empty frame is one call with no octets.
   */
  data(number: number, bytes: Uint8Array, end: boolean): void
  /**
   * The header of a frame whose type is unknown and ignorable; its `length` octets are skipped as
   * they come. Without this method such a frame is refused like every unknown one.
   */
  ignored?(type: number, number: number, length: number): void
}

/**
 * Finds the frames in a stream of octets, however it is cut into chunks. After a throw the stream
 * has no meaning any more: the reader refuses every further call.
 *
 *     const reader = new FrameReader({
 *       frame: (type, flags, number, payload) => …,
 *       data: (number, bytes, end) => …,
 *     })
 *     socket.on('data', (chunk) => reader.push(chunk))
 *     socket.on('end', () => reader.end())
 */
export class FrameReader {
  readonly #sink: FrameSink
  /** The largest DATA payload. */
  maxDataBytes: number
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES)
  #headerBytes = 0
  #type: number = FrameType.PING
  #flags = 0
  #number = 0
  /** Payload octets still to come. */
  #missing = 0
  /** A payload that did not arrive in one piece, as far as it came. */
  #payload: Uint8Array | undefined
  /** The frame is of an unknown type: its payload is skipped. */
  #skipping = false
  /** Something of a frame with a known type came in the pushed chunk. */
  #isKnown = false
  #broken = false

  /** `maxDataBytes`: the largest DATA payload that HELLO and WELCOME agreed on. */
  constructor(sink: FrameSink, maxDataBytes: number = DATA_BYTES) {
    this.#sink = sink
    this.maxDataBytes = maxDataBytes
  }

  /** Nothing of a frame has arrived that is not yet delivered. */
  get idle(): boolean {
    return this.#headerBytes === 0
  }

  /**
   * @returns whether anything of a frame with a known type was among it: a peer that says nothing
   *   else is as good as silent
   * @throws PeerViolation `FRAME_TOO_LARGE` or `UNKNOWN_FRAME`, and whatever the sink throws
   */
  push(chunk: Uint8Array): boolean {
    if (this.#broken) throw new ApiMisuse('the frame reader has already thrown')
    this.#broken = true
    this.#isKnown = false
    let at = 0
    while (at < chunk.length) {
      if (this.#headerBytes < FRAME_HEADER_BYTES) at = this.#readHeader(chunk, at)
      else at = this.#readPayload(chunk, at)
    }
    this.#broken = false
    return this.#isKnown
  }

  /**
   * The stream ended.
   *
   * @throws PeerViolation `FRAME_TRUNCATED` in the middle of a frame
   */
  end(): void {
    const { cut } = this
    if (cut !== undefined) throw cut
  }

  /** What is wrong with a stream that ends now; `undefined` between two frames. */
  get cut(): PeerViolation | undefined {
    if (this.idle || this.#broken) return undefined
    return new PeerViolation('FRAME_TRUNCATED', 'the stream ended inside a frame')
  }

  #readHeader(chunk: Uint8Array, from: number): number {
    let at = from
    while (at < chunk.length && this.#headerBytes < FRAME_HEADER_BYTES)
      this.#header[this.#headerBytes++] = chunk[at++]!
    if (this.#headerBytes === FRAME_HEADER_BYTES) this.#open()
    return at
  }

  #open(): void {
    const h = this.#header
    this.#missing = (h[0]! << 16) | (h[1]! << 8) | h[2]!
    this.#type = h[3]!
    this.#flags = h[4]!
    this.#number = ((h[5]! << 24) | (h[6]! << 16) | (h[7]! << 8) | h[8]!) >>> 0
    this.#skipping = this.#isUnknown()
    const most = this.#type === FrameType.DATA ? this.maxDataBytes : mostBytes(this.#type)
    if (this.#missing > most)
      throw new PeerViolation(
        'FRAME_TOO_LARGE',
        `type ${this.#type} carries ${this.#missing} octets (at most ${most})`,
      )
    if (this.#skipping) return this.#skip()
    this.#isKnown = true
    if (this.#missing > 0) return
    if (this.#type === FrameType.DATA) this.#data(EMPTY)
    else this.#frame(EMPTY)
  }

  /** Whether the type is unknown; one that may not be skipped is refused. */
  #isUnknown(): boolean {
    if (headerRule(this.#type) !== undefined) return false
    if (this.#sink.ignored !== undefined && isIgnorable(this.#type)) return true
    throw new PeerViolation('UNKNOWN_FRAME', `type ${this.#type}`)
  }

  #skip(): void {
    this.#sink.ignored!(this.#type, this.#number, this.#missing)
    if (this.#missing === 0) this.#headerBytes = 0
  }

  #readPayload(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.#missing)
    const piece = chunk.subarray(at, end)
    this.#missing -= piece.length
    if (this.#skipping) {
      if (this.#missing === 0) this.#headerBytes = 0
      return end
    }
    this.#isKnown = true
    if (this.#type === FrameType.DATA) this.#data(piece)
    else this.#assemble(piece)
    return end
  }

  #data(piece: Uint8Array): void {
    const last = this.#missing === 0
    if (last) this.#headerBytes = 0
    this.#sink.data(this.#number, piece, last && (this.#flags & FrameFlag.END) !== 0)
  }

  #assemble(piece: Uint8Array): void {
    if (this.#payload === undefined && this.#missing === 0) return this.#frame(piece)
    const length = (this.#header[0]! << 16) | (this.#header[1]! << 8) | this.#header[2]!
    this.#payload ??= new Uint8Array(length)
    this.#payload.set(piece, length - this.#missing - piece.length)
    if (this.#missing === 0) this.#frame(this.#payload)
  }

  #frame(payload: Uint8Array): void {
    this.#headerBytes = 0
    this.#payload = undefined
    const type = this.#type as FrameType
    this.#sink.frame(type, this.#flags & headerRule(type)!.flags, this.#number, payload)
  }
}

const EMPTY = new Uint8Array(0)

/**
 * Writes a frame header into `into` at `at`.
 *
 * @throws ApiMisuse for a length that this type of frame cannot carry: the peer would end the whole
 *   link for it
 */
export function writeFrameHeader(
  into: Uint8Array,
  at: number,
  type: number,
  flags: number,
  number: number,
  length: number,
): void {
  if (length > mostBytes(type))
    throw new ApiMisuse(`a frame of type ${type} cannot carry ${length} octets`)
  into[at] = length >>> 16
  into[at + 1] = length >>> 8
  into[at + 2] = length
  into[at + 3] = type
  into[at + 4] = flags
  into[at + 5] = number >>> 24
  into[at + 6] = number >>> 16
  into[at + 7] = number >>> 8
  into[at + 8] = number
}
