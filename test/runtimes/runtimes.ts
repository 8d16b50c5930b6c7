/** The runtimes of `package.json` beside this file, installed when they are first asked for. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const run = promisify(execFile)

/** Exactly what the lock file says, unless it is there. */
export async function installRuntimes(): Promise<void> {
  if (existsSync(`${HERE}node_modules/.package-lock.json`)) return
  await run('npm', ['ci', '--prefer-offline', '--loglevel=error'], { cwd: HERE })
}

/** The program of a Node version, by its first number; the one that runs the tests is there always. */
export function nodeProgram(major: string): string {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath
  return `${HERE}node_modules/node-${major}-${process.arch}/bin/node`
}
