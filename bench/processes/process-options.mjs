/**
 * What every process of the benchmark has in common: its options are one line of JSON on standard input (nothing secret is on a command line), and
 * it ends when it is told to or when its parent is gone.
 */
import { createInterface } from 'node:readline'

process.on('SIGTERM', () => process.exit(0))
process.on('SIGINT', () => undefined) // Ctrl-C goes to the whole group: the parent decides

/** @returns {Promise<any>} */
export function processOptions() {
  const lines = createInterface({ input: process.stdin })
  lines.on('close', () => process.exit(0))
  return new Promise((resolve) => lines.once('line', (line) => resolve(JSON.parse(line))))
}

/** One line of JSON on standard output. */
export function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

/** Listens on a free port of 127.0.0.1. */
export async function listen(server) {
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready))
  return server.address().port
}
