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
import { Slab } from './slab.ts'

const EMPTY = new Uint8Array(0)
/**
 * A DATA payload up to this is cheaper copied than handed to the transport as a chunk of its own.
 */
const COPIED_BYTES = 2 * 1024

/** What one link has to send. */
export class FrameOutput {
  readonly #slab = new Slab()

  /** A frame whose payload is small, or read at once. */
  frame(type: number, flags: number, number: number, payload: Uint8Array = EMPTY): void {
    const { length } = payload
    this.#header(type, flags, number, length, length)
    this.#slab.put(payload)
  }

  /** A frame whose payload is a head; `write` is one of heads.ts. */
  head<Head>(
    type: FrameType,
    flags: number,
    number: number,
    write: (to: Slab, head: Head) => void,
    head: Head,
  ): void {
    const slab = this.#slab
    slab.begin(FRAME_HEADER_BYTES)
    slab.at += FRAME_HEADER_BYTES
    try {
      write(slab, head)
      const length = slab.at - slab.begun - FRAME_HEADER_BYTES
      writeFrameHeader(slab.octets, slab.begun, type, flags, number, length)
    } catch (error) {
      slab.undo()
      throw error
    }
  }

  /** A DATA frame; a large payload is not copied, and must not change until it is sent. */
  data(number: number, payload: Uint8Array, end: boolean): void {
    const flags = end ? FrameFlag.END : 0
    const { length } = payload
    if (length <= COPIED_BYTES) return this.frame(FrameType.DATA, flags, number, payload)
    this.#header(FrameType.DATA, flags, number, length, 0)
    this.#slab.pass(payload)
  }

  /** Whether there is anything since the last time. */
  get hasMore(): boolean {
    return this.#slab.hasMore
  }

  /** Everything since the last time, in order. */
  take(): Uint8Array[] {
    return this.#slab.take()
  }

  /** Lets go of the memory that an idle link has no use for. */
  release(): void {
    this.#slab.release()
  }

  #header(type: number, flags: number, number: number, length: number, copied: number): void {
    const slab = this.#slab
    slab.begin(FRAME_HEADER_BYTES + copied)
    writeFrameHeader(slab.octets, slab.at, type, flags, number, length)
    slab.at += FRAME_HEADER_BYTES
  }
}
