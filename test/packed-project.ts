/** An empty project with the package in it, as it is packed: nothing of the repository is in reach. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import manifest from '../package.json' with { type: 'json' }

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const run = promisify(execFile)
const QUIETLY = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']

export interface PackedProject {
  readonly tarball: string
  /** Its `node_modules` holds the package. */
  readonly directory: string
  remove(): Promise<void>
}

type Tool = keyof typeof manifest.devDependencies

/** `tools` are installed beside it, at the versions that are used here. */
export async function packedProject(...tools: readonly Tool[]): Promise<PackedProject> {
  const parent = await mkdtemp(join(tmpdir(), 'app-proxy-packed-'))
  const built = ['js', 'd.ts'].map((kind) => join(ROOT, `dist/protocol/index.${kind}`))
  if (!built.every((path) => existsSync(path))) await run('npm', ['run', 'build'], { cwd: ROOT })
  // Building is not packing: `npm test` has just built.
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', parent]
  const { stdout } = await run('npm', pack, { cwd: ROOT })
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  const tarball = join(parent, filename)
  const directory = join(parent, 'project')
  await mkdir(directory)
  await writeFile(join(directory, 'package.json'), '{ "private": true, "type": "module" }')
  const versions = tools.map((name) => `${name}@${manifest.devDependencies[name]}`)
  await run('npm', ['install', ...QUIETLY, tarball, ...versions], { cwd: directory })
  return {
    ...{ tarball, directory },
    remove: () => rm(parent, { recursive: true, force: true }),
  }
}
