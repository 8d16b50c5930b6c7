/**
 * Micro benchmarks, each in a process of its own, so that no other's heap or compiled code is in its way. They are bundled from the sources as the
 * package is: no loader stands between.
 *
 * @module
 */
import { build } from 'tsup'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import type { Workspace } from '../harness/workspace.ts'
import type { BenchOptions } from '../options.ts'
import type { MicroFigure } from '../report/results.ts'

const SCRIPTS = {
  micro: [
    'machine-steps',
    'codec',
    'head-writers',
    'open-exchanges',
    'bodies',
    'answer-heads',
    'whole-request',
  ],
  idle: ['idle-links'],
} as const
const FLAGS = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64']
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Title → figures. */
export async function runMicro(
  which: keyof typeof SCRIPTS,
  workspace: Workspace,
  { quick }: BenchOptions,
  log: (line: string) => void,
): Promise<Record<string, readonly MicroFigure[]>> {
  const all: Record<string, readonly MicroFigure[]> = {}
  for (const script of SCRIPTS[which]) {
    log(`micro: ${script}`)
    const { title, figures } = await run(await bundle(script, workspace), quick)
    all[title] = figures
  }
  return all
}

async function bundle(script: string, workspace: Workspace): Promise<string> {
  const outDir = workspace.path('micro')
  await build({
    entry: { [script]: `${ROOT}bench/micro/${script}.ts` },
    ...{ outDir, format: 'esm', target: 'node20', platform: 'node', outExtension },
    ...{ noExternal: [/./], config: false, clean: false, silent: true },
    // What is bundled with them may still be CommonJS.
    banner: { js: REQUIRE },
  })
  return `${outDir}/${script}.mjs`
}

const outExtension = () => ({ js: '.mjs' })
const REQUIRE =
  "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)"

async function run(file: string, quick: boolean) {
  const child = spawn(process.execPath, [...FLAGS, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, BENCH_SAMPLE_MS: quick ? '10' : '100' },
  })
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  if (code !== 0) throw new Error(`a micro benchmark ended with ${code}`)
  return JSON.parse(printed) as { title: string; figures: MicroFigure[] }
}
