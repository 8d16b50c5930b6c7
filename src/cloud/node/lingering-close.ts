/**
 * Closing a connection on a user who is still sending.
 *
 * A socket that is closed over unread bytes answers them with a reset, and the reset takes the
 * answer that was just sent out of the user's hands. So what still comes is read and thrown away
 * for a while.
 *
 * @see RFC 9112 §9.6
 * @module
 */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { CONNECTION_TIME_LIMITS, type ConnectionTimeLimits } from '../../protocol/internal.ts'

/** How long a connection that serves no further request is kept for the user to read its answer. */
export interface LingerLimits {
  /** Milliseconds in which less than 16 KiB come of the user. Default 2 000. */
  readonly lingerMs?: number
  /** Milliseconds altogether, for who goes on sending. Default 30 000: 60 MB at 16 Mbit/s. */
  readonly lingerTotalMs?: number
  /**
   * Bytes that are read and thrown away meanwhile, 32 MiB a second at the most. Default 512 MiB.
   */
  readonly lingerBytes?: number
}

/**
 * How often the limits are looked at, and what may come in between without the next look being
 * skipped.
 */
const LOOK_MS = 50
const LEAST_BYTES = 16 * 1024
const LOOK_BYTES = (32 * 1024 * 1024 * LOOK_MS) / 1_000

/**
 * Ends our direction, discards the user's, and destroys the socket when it ends or a limit is
 * reached.
 *
 * @param request whose body is still coming through Node's parser; without it nobody parses this
 *   connection any more
 */
export function closeLingering(
  socket: Socket,
  limits: LingerLimits = {},
  request?: IncomingMessage,
): void {
  if (socket.destroyed) return
  // Node's parser lets go of a socket that somebody else listens to.
  if (request === undefined) socket.on('data', discard).removeAllListeners('data')
  const source = request ?? socket
  source.removeAllListeners('data').on('data', discard)
  socket.end()
  source.resume()
  const { lingerMs = CONNECTION_TIME_LIMITS.lingerMs } = limits
  const { lingerTotalMs = CONNECTION_TIME_LIMITS.lingerTotalMs } = limits
  const everyMs = Math.min(LOOK_MS, lingerMs, lingerTotalMs)
  const look = lookAt(socket, source, { ...limits, lingerMs, lingerTotalMs })
  const timer = setInterval(look, everyMs)
  socket.once('close', () => clearInterval(timer))
}

/** One look: whether a limit is reached, and whether more is read until the next. */
function lookAt(
  socket: Socket,
  source: { pause(): unknown; resume(): unknown },
  {
    lingerMs,
    lingerTotalMs,
    lingerBytes = 512 * 1024 * 1024,
  }: LingerLimits & Pick<ConnectionTimeLimits, 'lingerMs' | 'lingerTotalMs'>,
): () => void {
  const start = performance.now()
  const first = socket.bytesRead
  let read = first
  /** When so much had come last that it counts, and what had been read by then. */
  let heardAt = start
  let heard = first
  /** Bytes beyond what should have come by now. */
  let ahead = 0
  return () => {
    const now = performance.now()
    const came = socket.bytesRead - read
    read += came
    // Of whom nothing is read, nothing can be heard.
    if (read - heard >= LEAST_BYTES || ahead > 0) {
      heardAt = now
      heard = read
    }
    ahead = Math.max(0, ahead + came - LOOK_BYTES)
    const isOver = now - start >= lingerTotalMs || read - first > lingerBytes
    if (isOver || now - heardAt >= lingerMs) return void socket.destroy()
    if (ahead > 0) source.pause()
    else source.resume()
  }
}

/** Has Node's own close at the end of an answer wait for what still comes of its request. */
export function lingerAtClose(
  socket: Socket,
  request: IncomingMessage,
  limits: LingerLimits = {},
): void {
  const destroySoon = socket.destroySoon.bind(socket)
  socket.destroySoon = () => {
    if (request.complete) destroySoon()
    else closeLingering(socket, limits, request)
  }
}

function discard(): void {
  // nobody wants it
}
