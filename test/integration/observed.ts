/**
 * Loaded into the processes that processes.ts starts: tells the test, when asked, what the process holds.
 */
import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/** What a process holds, and what it took. */
export interface Observation {
  /** Bytes taken from each connection that was accepted, by the port of who came; closed ones included. */
  readonly taken: Readonly<Record<number, number>>
  /** Open handles and timers by kind. */
  readonly resources: Readonly<Record<string, number>>
}

const accepted = new Map<number, Socket>()
subscribe('net.server.socket', (message) => {
  const { socket } = message as { socket: Socket }
  accepted.set(socket.remotePort!, socket)
})

process.on('message', () => {
  const taken: Record<number, number> = {}
  for (const [port, socket] of accepted) taken[port] = socket.bytesRead
  const resources: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1
  process.send!({ taken, resources } satisfies Observation)
})
