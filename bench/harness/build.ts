/**
 * What is measured is the package as it is shipped: `dist`, not the sources.
 *
 * @module
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export async function buildIfOld(log: (line: string) => void): Promise<void> {
  if (changedAt(join(ROOT, 'dist')) > changedAt(join(ROOT, 'src'))) return
  log('building the package: dist is older than src')
  const child = spawn('npm', ['run', 'build'], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error('the package cannot be built')
}

/** When the newest file was changed; 0 when there is none. */
function changedAt(directory: string): number {
  try {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .map((name) => statSync(join(directory, name)))
      .reduce((newest, file) => (file.isFile() ? Math.max(newest, file.mtimeMs) : newest), 0)
  } catch {
    return 0
  }
}
