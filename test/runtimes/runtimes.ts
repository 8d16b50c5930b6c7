/** The runtimes of `package.json` beside this file, installed when they are first asked for. */
import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { isAlive } from '../is-alive.ts'

const HERE = fileURLToPath(new URL('.', import.meta.url))
/** The lock file that was installed, octet for octet. */
const INSTALLED = `${HERE}node_modules/installed-lock.json`
const LOCK = `${HERE}.state`
const run = promisify(execFile)

/** Exactly what the lock file says, unless it is there. Two test files may ask at once. */
export async function installRuntimes(): Promise<void> {
  const wanted = await readFile(`${HERE}package-lock.json`, 'utf8')
  while (!(await isInstalled(wanted))) {
    if (!(await takesLock())) await sleep(100)
    else
      try {
        if (await isInstalled(wanted)) return
        await run('npm', ['ci', '--prefer-offline', '--loglevel=error'], { cwd: HERE })
        await writeFile(INSTALLED, wanted)
      } finally {
        await rm(LOCK, { recursive: true })
      }
  }
}

async function isInstalled(wanted: string): Promise<boolean> {
  return (await readFile(INSTALLED, 'utf8').catch(() => undefined)) === wanted
}

/** Whether nobody else installs: whoever held the lock and is gone holds it no more. */
async function takesLock(): Promise<boolean> {
  try {
    await mkdir(LOCK)
    await writeFile(`${LOCK}/pid`, String(process.pid))
    return true
  } catch {
    const pid = Number(await readFile(`${LOCK}/pid`, 'utf8').catch(() => process.pid))
    if (!isAlive(pid)) await rm(LOCK, { recursive: true, force: true })
    return false
  }
}

/** The program of a Node version, by its first number; the one that runs the tests is there always. */
export function nodeProgram(major: string): string {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath
  return `${HERE}node_modules/node-${major}-${process.arch}/bin/node`
}

/** The program of another runtime. */
export function runtimeProgram(name: 'workerd' | 'bun' | 'deno'): string {
  return `${HERE}node_modules/.bin/${name}`
}
