/**
 * `app-proxy` and example programs that are given something wrong: run in this process, they say what a process would, and give its exit code.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { cli } from '../../src/cli/cli.ts'
import { exitCodeOf, type Program } from '../../src/cli/program/program.ts'
import { createServerAuthority } from '../../src/cloud/index.ts'
import { memoryAuthorityStore } from '../cloud/authority/memory-authority-store.ts'

/** What became of a program. */
export interface Ended {
  readonly code: number
  readonly said: readonly string[]
  /** On stderr; paths of the folder are `DIR`. */
  readonly lines: readonly string[]
}

/** A folder for what is wrong; removed by `remove`. */
export class MistakenFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'app-proxy-mistakes-'))

  at(...names: readonly string[]): string {
    return join(this.path, ...names)
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }

  async run(name: string, program: Program, argv: readonly string[]): Promise<Ended> {
    const said: string[] = []
    const lines: string[] = []
    const stopping = new AbortController()
    // One that starts after all is told to end: nothing was wrong then.
    const say = (line: string) => {
      said.push(line)
      stopping.abort()
    }
    const code = await exitCodeOf(name, program, {
      ...{ argv, say, signal: stopping.signal, onReload: () => undefined },
      log: (line) => lines.push(...line.replaceAll(this.path, 'DIR').split('\n')),
    })
    return { code, said, lines }
  }
}

/** Commands of `app-proxy`, in the folder. */
export const commandIn =
  (folder: MistakenFolder, words: string) =>
  (argv: readonly string[]): Promise<Ended> =>
    folder.run('app-proxy', cli, [...words.split(' '), ...argv])

/** It begins with the path of a file, rather than with an option. */
const IN_FILE = /^[^-: ][^: ]*\//

/** Each line once, all of the program's, none of a stack trace. Code 2, or 3 for what stands in a file. */
export function expectLines(
  name: string,
  ended: Ended,
  lines: readonly string[],
  code = lines.some((line) => IN_FILE.test(line)) ? 3 : 2,
): void {
  expect(ended.lines).toEqual(lines.map((line) => `${name}: ${line}`))
  expect(ended).toMatchObject({ code, said: [] })
}

/** Runs a command of `app-proxy` as a process of its own. */
export function asProcess(words: string, argv: readonly string[]) {
  const args = ['--import', 'tsx', 'src/cli/main.ts', ...words.split(' '), ...argv]
  return new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) =>
    execFile(process.execPath, args, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    ),
  )
}

/** A server's certificate that was made at a time. */
export async function certificateOf(at: number) {
  const clocks = { now: () => 0, wallClock: () => at }
  return (await createServerAuthority({ clocks, store: memoryAuthorityStore() })).issue()
}
