/**
 * Closing a connection on a user who is still sending.
 *
 * A socket that is closed over unread bytes answers them with a reset, and the reset takes the answer that was just sent out of the
 * user's hands. So what still comes is read and thrown away for a while.
 *
 * @see RFC 9112 §9.6
 * @module
 */
import type { Socket } from 'node:net'

/** How long a connection that serves no further request is kept for the user to read its answer. */
export interface LingerLimits {
  /** Milliseconds. Default 2 000. */
  readonly lingerMs?: number
  /** Bytes that are read and thrown away meanwhile. Default 64 MiB. */
  readonly lingerBytes?: number
}

/** Ends our direction, discards the user's, and destroys the socket when it ends or a limit is reached. */
export function closeLingering(socket: Socket, limits: LingerLimits = {}): void {
  const { lingerMs = 2_000, lingerBytes = 64 * 1024 * 1024 } = limits
  if (socket.destroyed) return
  let left = lingerBytes
  const discard = (bytes: Uint8Array): void => {
    left -= bytes.length
    if (left < 0) socket.destroy()
  }
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(timer))
  // Node's parser lets go of a socket that somebody else listens to; then nobody but us does.
  socket.on('data', discard)
  socket.removeAllListeners('data').on('data', discard)
  socket.end()
  socket.resume()
}
