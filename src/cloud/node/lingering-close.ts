/**
 * Closing a connection on a user who is still sending.
 *
 * A socket that is closed over unread bytes answers them with a reset, and the reset takes the answer that was just sent out of the
 * user's hands. So what still comes is read and thrown away for a while.
 *
 * @see RFC 9112 §9.6
 * @module
 */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { CONNECTION_TIME_LIMITS } from '../../protocol/index.ts'

/** How long a connection that serves no further request is kept for the user to read its answer. */
export interface LingerLimits {
  /** Milliseconds. Default 2 000. */
  readonly lingerMs?: number
  /** Bytes that are read and thrown away meanwhile. Default 1 MiB. */
  readonly lingerBytes?: number
}

/** How often the limits are looked at. */
const LOOK_MS = 50

/**
 * Ends our direction, discards the user's, and destroys the socket when it ends or a limit is reached.
 *
 * @param request whose body is still coming through Node's parser; without it nobody parses this connection any more
 */
export function closeLingering(
  socket: Socket,
  limits: LingerLimits = {},
  request?: IncomingMessage,
): void {
  const { lingerMs = CONNECTION_TIME_LIMITS.lingerMs, lingerBytes = 1024 * 1024 } = limits
  if (socket.destroyed) return
  const start = performance.now()
  const read = socket.bytesRead
  const timer = setInterval(
    () => {
      const isLate = performance.now() - start >= lingerMs
      if (isLate || socket.bytesRead - read > lingerBytes) socket.destroy()
    },
    Math.min(LOOK_MS, lingerMs),
  )
  socket.once('close', () => clearInterval(timer))
  // Node's parser lets go of a socket that somebody else listens to.
  if (request === undefined) socket.on('data', discard).removeAllListeners('data')
  const source = request ?? socket
  source.removeAllListeners('data').on('data', discard)
  socket.end()
  source.resume()
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
