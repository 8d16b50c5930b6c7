/**
 * What a connection of `node:http` says to the exchanges that are on it: one, or several where
 * answers wait behind another. They come and go, and its listeners stay.
 *
 * @module
 */
import type { Socket } from 'node:net'

/** One exchange that is on a connection. */
export interface OnConnection {
  /** The user closed its direction. */
  readonly halfClosed: () => void
  /** The connection is gone. */
  readonly gone: () => void
}

/** The connection that is this socket. */
export function connectionOf(socket: Socket): UserConnection {
  let connection = CONNECTIONS.get(socket)
  if (connection === undefined) CONNECTIONS.set(socket, (connection = new UserConnection(socket)))
  return connection
}

/** By the socket that each is: it ends with that. */
const CONNECTIONS = new WeakMap<Socket, UserConnection>()

export class UserConnection {
  /** Those that are not over, in order. */
  #exchanges: OnConnection[] = []

  constructor(socket: Socket) {
    socket.on('close', () => {
      for (const exchange of [...this.#exchanges]) exchange.gone()
    })
    socket.on('end', () => {
      for (const exchange of [...this.#exchanges]) exchange.halfClosed()
    })
  }

  add(exchange: OnConnection): void {
    this.#exchanges.push(exchange)
  }

  remove(exchange: OnConnection): void {
    const at = this.#exchanges.indexOf(exchange)
    if (at >= 0) this.#exchanges.splice(at, 1)
  }
}
