/**
 * Frames on their way out, gathered until the transport takes them.
 *
 * Small frames are written one behind the other into a slab, so that everything said in one turn of
 * the event loop is one chunk; the payload of a large DATA frame passes by reference, between two
 * of them.
 *
 * @module
 */
import { writeFrameHeader } from './frame.ts'
import { FrameFlag, FrameType } from './frame-types.ts'
import { FRAME_HEADER_BYTES } from './limits.ts'
import { packToCopy } from './msgpack-writer.ts'

const EMPTY = new Uint8Array(0)
/** A slab grows with what one turn says, up to this. */
const MAX_SLAB_BYTES = 32 * 1024
const MIN_SLAB_BYTES = 1024
/**
 * A DATA payload up to this is cheaper copied than handed to the transport as a chunk of its own.
 */
const COPIED_BYTES = 2 * 1024

/** What one link has to send. */
export class FrameOutput {
  #chunks: Uint8Array[] = []
  /** Written up to `#at`, of which up to `#from` was handed out: nobody writes there again. */
  #slab = EMPTY
  #from = 0
  #at = 0

  /** A frame whose payload is small, or read at once. */
  frame(type: number, flags: number, number: number, payload: Uint8Array = EMPTY): void {
    this.#header(type, flags, number, payload.length, payload.length)
    this.#copy(payload)
  }

  /** A frame whose payload is a MessagePack value. */
  head(type: FrameType, flags: number, number: number, value: readonly unknown[]): void {
    this.frame(type, flags, number, packToCopy(value))
  }

  /** A DATA frame; a large payload is not copied, and must not change until it is sent. */
  data(number: number, payload: Uint8Array, end: boolean): void {
    const flags = end ? FrameFlag.END : 0
    const { length } = payload
    if (length <= COPIED_BYTES) return this.frame(FrameType.DATA, flags, number, payload)
    this.#header(FrameType.DATA, flags, number, length, 0)
    this.#seal()
    this.#chunks.push(payload)
  }

  /** Whether there is anything since the last time. */
  get hasMore(): boolean {
    return this.#at > this.#from || this.#chunks.length > 0
  }

  /** Everything since the last time, in order. */
  take(): Uint8Array[] {
    this.#seal()
    const chunks = this.#chunks
    this.#chunks = []
    return chunks
  }

  /** Lets go of the memory that an idle link has no use for. */
  release(): void {
    this.#seal()
    this.#slab = EMPTY
    this.#from = 0
    this.#at = 0
  }

  #header(type: number, flags: number, number: number, length: number, copied: number): void {
    const needed = FRAME_HEADER_BYTES + copied
    if (this.#slab.length - this.#at < needed) this.#grow(needed)
    writeFrameHeader(this.#slab, this.#at, type, flags, number, length)
    this.#at += FRAME_HEADER_BYTES
  }

  #copy(payload: Uint8Array): void {
    this.#slab.set(payload, this.#at)
    this.#at += payload.length
  }

  #seal(): void {
    if (this.#at === this.#from) return
    this.#chunks.push(this.#slab.subarray(this.#from, this.#at))
    this.#from = this.#at
  }

  #grow(needed: number): void {
    this.#seal()
    const doubled = Math.min(MAX_SLAB_BYTES, Math.max(MIN_SLAB_BYTES, 2 * this.#slab.length))
    this.#slab = new Uint8Array(Math.max(doubled, needed))
    this.#from = 0
    this.#at = 0
  }
}
