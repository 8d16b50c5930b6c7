/**
 * `nats-server` as a process of the demo: says in one line of JSON that it serves, and ends when
 * the demo tells it to, or is gone.
 *
 *     node --import tsx examples/demo/broker.ts PROGRAM CONFIGURATION PORT
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

const [program = '', configuration = '', port = ''] = process.argv.slice(2)
const READY_MS = 20_000
const ASK_EVERY_MS = 50
/** Sooner than the demo ends this process by force. */
const KILL_AFTER_MS = 5_000

// Ctrl-C reaches every process of the terminal, at once: the instances still need the broker then.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined)
let isEnding = false
const server = spawn(program, ['-c', configuration], { detached: true, stdio: ['ignore', 2, 2] })
server.on('error', ({ message }) => end(message))
server.on('exit', (code, signal) =>
  isEnding ? process.exit(0) : end(`nats-server ended (${signal ?? `code ${code}`})`),
)
process.on('SIGTERM', () => {
  isEnding = true
  server.kill('SIGTERM')
  setTimeout(() => server.kill('SIGKILL'), KILL_AFTER_MS)
})

for (const until = Date.now() + READY_MS; !(await isServing()); await wait(ASK_EVERY_MS))
  if (Date.now() > until) {
    server.kill('SIGKILL')
    end('nats-server does not serve')
  }
console.log(JSON.stringify({ servers: [`127.0.0.1:${port}`] }))

function end(message: string): never {
  console.error(message)
  process.exit(1)
}

/** It greets whoever connects; JetStream is there by then. */
async function isServing(): Promise<boolean> {
  const socket = connect(Number(port), '127.0.0.1')
  try {
    const [greeting] = (await once(socket, 'data')) as [Buffer]
    return greeting.toString().startsWith('INFO ')
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
