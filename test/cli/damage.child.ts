/**
 * Runs commands of `app-proxy` one after the other in this process, each until it is ready or has ended. A line of JSON on stdin asks for one, a line on stdout
 * says what became of it; whoever asked sees by the end of this process that one took it along.
 */
import { createInterface } from 'node:readline'
import { cli } from '../../src/cli/cli.ts'
import { exitCodeOf } from '../../src/cli/program/program.ts'

for await (const line of createInterface(process.stdin)) {
  const stopping = new AbortController()
  const lines: string[] = []
  const code = await exitCodeOf('app-proxy', cli, {
    argv: JSON.parse(line) as string[],
    say: () => stopping.abort('SIGTERM'),
    log: (text) => lines.push(text),
    signal: stopping.signal,
    onReload: () => undefined,
  })
  console.log(JSON.stringify({ code, lines }))
}
