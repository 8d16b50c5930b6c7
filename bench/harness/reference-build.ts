/**
 * Another commit of this repository, built in a folder that is gone afterwards.
 *
 * @module
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Workspace } from './workspace.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

/** A commit, ready to be measured. */
export interface ReferenceBuild {
  /** Its short name. */
  readonly commit: string
  /** The folder that holds its sources and its `dist`. */
  readonly root: string
}

/**
 * Its dependencies are ours where both lock files are the same; else they are installed.
 *
 * @throws Error when git does not know `ref`, or when it cannot be built
 */
export async function buildReference(
  ref: string,
  workspace: Workspace,
  log: (line: string) => void,
): Promise<ReferenceBuild> {
  const git = async (...args: string[]) => (await run('git', args, { cwd: ROOT })).stdout.trim()
  // What looks like an option is no ref.
  const commit = await git(
    'rev-parse',
    '--verify',
    '--short',
    '--end-of-options',
    `${ref}^{commit}`,
  )
  const root = workspace.path(`reference-${commit}`)
  const archive = `${root}.tar`
  await mkdir(root)
  await git('archive', `--output=${archive}`, commit)
  await run('tar', ['-xf', archive, '-C', root])
  log(`building ${ref} (${commit}) in a temporary folder`)
  if (lockFile(root) === lockFile(ROOT))
    await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'))
  else await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root })
  await run('npm', ['run', 'build'], { cwd: root })
  return { commit, root }
}

const lockFile = (root: string) => readFileSync(join(root, 'package-lock.json'), 'utf8')
