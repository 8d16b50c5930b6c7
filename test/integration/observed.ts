/**
 * Loaded into the processes that processes.ts starts: tells the test, when asked, what the process holds.
 */
import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/** What a process holds. */
export interface Observation {
  /** Bytes taken from each accepted connection that is open: local port → remote port → bytes. */
  readonly taken: Readonly<Record<number, Readonly<Record<number, number>>>>
  /** Open handles and timers by kind. */
  readonly resources: Readonly<Record<string, number>>
}

const accepted = new Set<Socket>()
subscribe('net.server.socket', (message) => {
  const { socket } = message as { socket: Socket }
  accepted.add(socket)
  socket.once('close', () => accepted.delete(socket))
})

process.on('message', () => {
  const taken: Record<number, Record<number, number>> = {}
  for (const { localPort, remotePort, bytesRead } of accepted) {
    if (localPort !== undefined && remotePort !== undefined)
      (taken[localPort] ??= {})[remotePort] = bytesRead
  }
  const resources: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1
  process.send!({ taken, resources } satisfies Observation)
})
