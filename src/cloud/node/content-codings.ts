/**
 * Content codings by Node's zlib.
 *
 * @module
 */
import type { Transform } from 'node:stream'
import {
  constants,
  createBrotliCompress,
  createBrotliDecompress,
  createDeflate,
  createGunzip,
  createGzip,
  createInflate,
  createInflateRaw,
} from 'node:zlib'
import { ApiMisuse } from '../../protocol/internal.ts'
import type {
  ContentCoder,
  ContentCoderOutput,
  ContentCodings,
} from '../translate/bodies/content-codings.ts'

/**
 * The content codings `br`, `gzip` and `deflate`, for `createCloud`. Bodies are coded anew at a
 * level that costs little: brotli at quality 4 with a window of 256 KiB, the others at level 5.
 */
export function nodeContentCodings(): ContentCodings {
  return {
    names: ['br', 'gzip', 'deflate'],
    open: (coding, output) =>
      coding === 'deflate'
        ? new DeflateDecoder(output)
        : new ZlibCoder(makerOf(DECODERS, coding)(), output),
    close: (coding, output) => new ZlibCoder(makerOf(ENCODERS, coding)(), output),
  }
}

type Zlib = Transform & { flush(kind?: number): void; close(): void }
type Makers = Readonly<Record<string, { make(): Zlib } | undefined>>

function makerOf(makers: Makers, coding: string): () => Zlib {
  const maker = makers[coding]
  if (maker === undefined) throw new ApiMisuse(`the coding ${coding} is none of these`)
  return () => maker.make()
}

const CHUNK_BYTES = 64 * 1024
const DECODERS: Makers = {
  br: { make: () => createBrotliDecompress({ chunkSize: CHUNK_BYTES }) },
  gzip: { make: () => createGunzip({ chunkSize: CHUNK_BYTES }) },
}
const ENCODERS: Makers = {
  br: {
    make: () =>
      createBrotliCompress({
        params: {
          [constants.BROTLI_PARAM_QUALITY]: 4,
          [constants.BROTLI_PARAM_LGWIN]: 18,
        },
      }),
  },
  gzip: { make: () => createGzip({ level: 5 }) },
  deflate: { make: () => createDeflate({ level: 5 }) },
}

/** One stream of zlib. */
class ZlibCoder implements ContentCoder {
  readonly #stream: Zlib
  readonly #output: ContentCoderOutput

  constructor(stream: Zlib, output: ContentCoderOutput) {
    this.#stream = stream
    this.#output = output
    stream.on('data', (bytes: Uint8Array) => output.data(bytes))
    stream.on('end', () => output.ended())
    stream.on('error', (error) => output.failed(error))
  }

  write(bytes: Uint8Array): void {
    this.#stream.write(bytes, (error) => {
      if (error === null || error === undefined) this.#output.taken()
    })
  }

  /** For encoders: a decoder gives out what it has. */
  flush(): void {
    this.#stream.flush()
  }

  end(): void {
    this.#stream.end()
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  destroy(): void {
    this.#stream.destroy()
  }
}

/**
 * `deflate` is zlib's format; some servers send it without its head, which browsers take as well.
 */
class DeflateDecoder implements ContentCoder {
  readonly #output: ContentCoderOutput
  #coder: ZlibCoder | undefined
  #isPaused = false

  constructor(output: ContentCoderOutput) {
    this.#output = output
  }

  write(bytes: Uint8Array): void {
    this.#coder ??= this.#begin(bytes[0]!)
    this.#coder.write(bytes)
  }

  flush(): void {
    this.#coder?.flush()
  }

  end(): void {
    this.#coder ??= this.#begin(ZLIB_METHOD)
    this.#coder.end()
  }

  pause(): void {
    this.#isPaused = true
    this.#coder?.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#coder?.resume()
  }

  destroy(): void {
    this.#coder?.destroy()
  }

  #begin(first: number): ZlibCoder {
    const options = { chunkSize: CHUNK_BYTES }
    const isZlib = (first & 0x0f) === ZLIB_METHOD
    const coder = new ZlibCoder(
      isZlib ? createInflate(options) : createInflateRaw(options),
      this.#output,
    )
    if (this.#isPaused) coder.pause()
    return coder
  }
}

/** The low half of the first octet of zlib's format (RFC 1950, section 2.2). */
const ZLIB_METHOD = 8
